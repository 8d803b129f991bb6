"""A chain of days that SIGKILL ends twice goes on to the result of a chain without a break."""

import subprocess
import sys

import numpy as np

from ranker.artifact import load
from tests.training.chain import train_days
from training.data.earlier import opened

DAYS = 2
# The process is killed when this appears: a checkpoint of the first day's first step, and a version, whose export is
# not recorded yet.
PLACES = ["run/checkpoints/latest/checkpoint", "1/manifest.json"]


def test_a_chain_killed_twice_gives_the_same_bits(tmp_path):
    command = [sys.executable, "-m", "tests.training.chain", str(tmp_path / "killed"), str(DAYS), *PLACES]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    train_days(tmp_path / "whole", DAYS)
    for day in range(1, DAYS + 1):
        one, other = (load(tmp_path / kind / str(day)) for kind in ("killed", "whole"))
        assert one.manifest.metrics["tasks"] == other.manifest.metrics["tasks"]
        found, expected = opened(one).variables, opened(other).variables
        assert found.keys() == expected.keys()
        for variable, value in expected.items():
            np.testing.assert_array_equal(found[variable], value, err_msg=f"day {day}: {variable}")
    assert not (tmp_path / "killed" / str(DAYS + 1)).exists()
