import os

import pytest

from ranker.cpus import cores


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("9000000 100000", 90), ("max 100000", 90), ("", 90)],
)
def test_threads_follow_the_limit_of_the_container(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    here = len(os.sched_getaffinity(0))
    assert cores(tmp_path / "cpu.max") == min(expected, here)
    assert cores(tmp_path / "nothing") == here
