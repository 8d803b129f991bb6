"""The Python page's snippets run as they stand, in one process, on a simulated log."""

import os
import re
import subprocess
import sys
from pathlib import Path

from training.simulator import SimulatorConfig, simulate

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"


def test_the_snippets_run(tmp_path):
    simulate(SimulatorConfig(rows=2500, seed=3, users=200, items=120, authors=20, days=8), tmp_path / "log")
    snippets = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 7
    checks = (
        "assert 0 <= run.metrics['mean_auc'] <= 1 and str(artifact.folder) == 'out/1'\n"
        "assert set(held_out['tasks']) == set(scores) == {'click', 'like'} and len(scores['like']) == len(candidates)\n"
        "assert 0 < of_users['rankings']['metrics']['fused(default).ndcg@5(rel)']['value'] < 1\n"
        "assert ranking.to_frame()['fused'].is_monotonic_decreasing and len(ranking) == min(10, len(candidates))\n"
        "assert scored['rank'].isin([1, 2, 3]).all() and scored.index.isin(frame.index).all() and len(scored)\n"
        "assert list(found.to_frame()['architecture']) == ['shared_bottom', 'mmoe'] and best.parameters\n"
        "assert len(in_two_stages) == len(candidates) and student.agreement[0].at(1).ndcg > 0.9999\n"
    )
    script = tmp_path / "page.py"
    # The trainings of `compare` are processes that import the script.
    body = "".join(f"    {line}\n" for line in ("\n".join(snippets) + checks).splitlines())
    script.write_text(f"def main():\n{body}\n\nif __name__ == '__main__':\n    main()\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command, how = [sys.executable, script], {"capture_output": True, "text": True, "timeout": 600}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, check=False, **how)
    assert ended.returncode == 0, ended.stdout + ended.stderr
