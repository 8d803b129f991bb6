import os
import subprocess
import sys

import pytest

from serving import example
from serving.cores import cores
from serving.settings import Settings


def ranker_serve(*arguments):
    command = [sys.executable, "-c", "from serving.cli import app; app()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_missing_artifact_is_one_line(tmp_path):
    ended = ranker_serve(tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "holds no manifest.json and no numbered version" in ended.stderr


def test_help_names_every_option():
    text = ranker_serve("--help").stdout
    secret = {"api_keys", "admin_keys", "users"}  # a command line can be read by others
    settings = [name for name in Settings.model_fields if name not in secret | {"artifact", "runtime"}]
    options = ["--" + name.replace("_", "-") for name in ("host", "port", "workers", *settings)]
    assert [option for option in options if option not in text] == []


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("100000 100000", 1), ("50000 100000", 1), ("9000000 100000", 90), ("max 100000", 90), ("", 90)],
)
def test_threads_follow_the_limit_of_the_container(tmp_path, quota, expected):
    (tmp_path / "cpu.max").write_text(quota + "\n")
    here = len(os.sched_getaffinity(0))
    assert cores(tmp_path / "cpu.max") == min(expected, here)
    assert cores(tmp_path / "nothing") == here


def test_the_example_client_prints_a_ranking(url, capsys):
    example.main(url)
    printed = " ".join(capsys.readouterr().out.split())
    assert "version 1, default fusion (additive)" in printed
    assert "buy" in printed
