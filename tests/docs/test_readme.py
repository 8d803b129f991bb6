"""The README's commands work, in their order, on a small log."""

import json
import re

import pytest

from tests.docs.pages import BLOCK, ROOT, run
from tests.serving.server_process import free_port
from training.config.experiment import load
from training.simulator import SimulatorConfig, simulate

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
ELSEWHERE = re.compile(r"^(make|docker) ", re.MULTILINE)
"""Blocks that do not run here: `make` makes another environment, Docker needs its daemon."""

SMALLER = {
    "levels: 2": "levels: 1",
    "expert_units: [64, 32]": "expert_units: [16]",
    "{epochs: 3, batch_size: 2048, seed: 0}": "{epochs: 1, batch_size: 512, seed: 0}",
    "bootstrap: 100": "bootstrap: 5",
}
"""Changes to the config of the demo, so that it trains in seconds."""


def test_blocks_that_do_not_run_here_hold_nothing_else():
    left_out = [found["code"] for found in BLOCK.finditer(PAGE) if ELSEWHERE.search(found["code"])]
    assert len(left_out) == 2
    for line in "".join(left_out).splitlines():
        assert ELSEWHERE.match(line)
    recipes = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in recipes for target in re.findall(r"^make (\w+)", "".join(left_out), re.MULTILINE))


def test_it_trains_measures_serves_and_ranks(tmp_path, warm_python):
    (tmp_path / "configs").mkdir()
    config = (ROOT / "configs" / "demo.yaml").read_text()
    for old, new in SMALLER.items():
        assert config.count(old) == 1
        config = config.replace(old, new)
    (tmp_path / "configs" / "demo.yaml").write_text(config)
    smaller = load(tmp_path / "configs" / "demo.yaml")
    assert smaller.training.epochs == 1
    assert load(ROOT / "configs" / "demo.yaml").schema == smaller.schema
    simulate(SimulatorConfig(rows=6000, seed=0), tmp_path / "demo" / "log")

    page = BLOCK.sub(lambda found: "" if ELSEWHERE.search(found["code"]) else found[0], PAGE)
    changes = {".venv/bin/": "", "8000": str(free_port())}
    printed = run(page, tmp_path, changes, timeout=600, training=warm_python)

    ranking = json.loads(next(text for text in printed.values() if text.startswith('{"model"')))
    assert len(ranking["ids"]) == 2
    assert set(ranking["ids"]) < {1718, 3395, 571}
    assert set(ranking["scores"]) == {"click", "long_view", "like", "share", "watch_time"}
    tasks = json.loads((tmp_path / "demo/metrics.json").read_text())["tasks"]
    assert 0 < tasks["click"]["auc"] < 1
    assert {artifact.name for artifact in (tmp_path / "demo" / "artifacts").glob("[0-9]*")} == {"1"}


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)", PAGE))
def test_links_lead_somewhere(target):
    assert target.startswith("https://") or (ROOT / target).exists()
