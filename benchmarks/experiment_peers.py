"""The statistics of experiments against spotify-confidence, statsmodels and savvi on the same units.

    .venv/bin/python -m benchmarks.experiment_peers --peers-python .peers/bin/python

Prints each number of ours and theirs, and their relative difference. The numbers of the peers are also in
``tests/training/experiments/test_peers.py``, which needs none of them.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

from tests.training.experiments.peers import P_VALUES, ours, sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "sample.json", Path(folder) / "found.json"
        columns = {name: values.tolist() for name, values in sample().items()}
        given.write_text(json.dumps({**columns, "p_values": P_VALUES}))
        subprocess.run([asked.peers_python, "-m", "benchmarks.peers.experiment", given, found], check=True)
        theirs = json.loads(found.read_text())
    for name, numbers in ours().items():
        for own, other in zip(numbers, theirs[name], strict=True):
            print(f"{name:20} {own:14.8g} {other:14.8g} {own / other - 1:10.1e}")
    if asked.json is not None:
        asked.json.write_text(json.dumps({"ours": ours(), "peers": theirs}, indent=2) + "\n")


if __name__ == "__main__":
    main()
