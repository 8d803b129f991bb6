"""Typos are reported before TensorFlow is imported."""

import subprocess
import sys

import pytest
import yaml

from tests.training.conftest import QUICK

PROGRAM = (
    "import sys, atexit\natexit.register(lambda: print('tensorflow' in sys.modules))\n"
    "from training.cli import app\napp()\n"
)


WHOLE = yaml.safe_dump(QUICK)


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (None, ["fit"], "there is no such file"),
        ("data: [", ["fit"], "is not valid YAML"),
        ("data: {}\ndata: {}\n", ["pareto", "--points", "3"], "duplicate key"),
        ("data: {}\ntrainning: {}\n", ["fit"], "did you mean 'training'?"),
        (WHOLE, ["compare", "--vary", "mmoe"], "must be KEY=VALUE"),
        (
            WHOLE,
            ["pareto", "--points", "4", "--method", "statik"],
            "--method statik: unknown; did you mean 'static'?",
        ),
        (WHOLE, ["compare", "--vary", "architecture=mmoe,plee"], "did you mean 'ple'?"),
        (WHOLE.replace("click:", "clik:", 1), ["fit"], "error:"),
        (None, ["search", "--method", "random_"], "did you mean 'random'?"),
        ("data: {}\n", ["fit", "--restrt"], "--restart"),
        ("data: {}\n", ["fitt"], "'fit'"),
    ],
    ids=["missing", "yaml", "twice", "key", "vary", "front", "value", "task", "search", "option", "command"],
)
def test_a_typo_is_reported_without_tensorflow(tmp_path, config, arguments, message):
    path = tmp_path / "config.yaml"
    if config is not None:
        path.write_text(config)
    name, *rest = arguments
    command = [sys.executable, "-c", PROGRAM, name, str(path), "-o", str(tmp_path), *rest]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode in (1, 2)
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == "False\n"
