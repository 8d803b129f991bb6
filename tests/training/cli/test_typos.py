"""Typos are reported before TensorFlow is imported."""

import json
import subprocess
import sys

import pytest
import yaml

from tests.training.conftest import QUICK

PROGRAM = """
import json, sys
from typer.testing import CliRunner
from training.cli import app

def ended(words):
    found = CliRunner().invoke(app, words)
    return [found.exit_code, found.stderr, repr(found.exception), "tensorflow" in sys.modules]

print(json.dumps([ended(words) for words in json.load(sys.stdin)]))
"""
"""A process that has not imported TensorFlow: runs the commands of its input one after another."""

WHOLE = yaml.safe_dump(QUICK)
TYPOS = {
    "missing": (None, ["fit"], "there is no such file"),
    "yaml": ("data: [", ["fit"], "is not valid YAML"),
    "twice": ("data: {}\ndata: {}\n", ["pareto", "--points", "3"], "duplicate key"),
    "key": ("data: {}\ntrainning: {}\n", ["fit"], "did you mean 'training'?"),
    "vary": (WHOLE, ["compare", "--vary", "mmoe"], "must be KEY=VALUE"),
    "front": (
        *(WHOLE, ["pareto", "--points", "4", "--method", "statik"]),
        "--method statik: unknown; did you mean 'static'?",
    ),
    "value": (WHOLE, ["compare", "--vary", "architecture=mmoe,plee"], "did you mean 'ple'?"),
    "task": (WHOLE.replace("click:", "clik:", 1), ["fit"], "error:"),
    "search": (None, ["search", "--method", "random_"], "did you mean 'random'?"),
    "option": ("data: {}\n", ["fit", "--restrt"], "--restart"),
    "command": ("data: {}\n", ["fitt"], "'fit'"),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How the command with each typo ended."""
    commands = []
    for name, (config, (command, *rest), _) in TYPOS.items():
        folder = tmp_path_factory.mktemp(name)
        path = folder / "config.yaml"
        if config is not None:
            path.write_text(config)
        commands.append([command, str(path), "-o", str(folder), *rest])
    run = [sys.executable, "-c", PROGRAM]
    whole = subprocess.run(run, input=json.dumps(commands), capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    return dict(zip(TYPOS, json.loads(whole.stdout), strict=True))


@pytest.mark.parametrize("typo", TYPOS)
def test_a_typo_is_reported_without_tensorflow(ended, typo):
    code, stderr, exception, imported_tensorflow = ended[typo]
    assert code in (1, 2)
    assert TYPOS[typo][2] in stderr
    assert "Traceback" not in stderr
    assert exception.startswith("SystemExit(")
    assert not imported_tensorflow
