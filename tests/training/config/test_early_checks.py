"""Typos are reported before TensorFlow is imported."""

import subprocess
import sys

import pytest

from training.config.early_checks import FRONT_METHODS, SEARCH_METHODS, SECTIONS, check_config, split_variation
from training.config.experiment import top_level_keys
from training.fusion_search.methods import METHODS as SEARCHES
from training.sweeps.pareto import METHODS as FRONTS

PROGRAM = (
    "import sys, atexit\natexit.register(lambda: print('tensorflow' in sys.modules))\n"
    "from training.cli import app\napp()\n"
)


def test_the_sections_are_those_of_an_experiment():
    assert sorted(SECTIONS) == sorted(top_level_keys())


def test_the_methods_are_those_that_there_are():
    assert tuple(FRONTS) == FRONT_METHODS
    assert tuple(sorted(SEARCHES)) == SEARCH_METHODS


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        (None, ["fit"], "there is no such file"),
        ("data: [", ["fit"], "is not valid YAML"),
        ("data: {}\ndata: {}\n", ["pareto", "--points", "3"], "duplicate key"),
        ("data: {}\ntrainning: {}\n", ["fit"], "did you mean 'training'?"),
        ("data: {}\n", ["compare", "--vary", "mmoe"], "say KEY=VALUE"),
        (
            "data: {}\n",
            ["pareto", "--points", "3", "--method", "statik"],
            "--method statik: unknown; did you mean 'static'?",
        ),
        (None, ["search", "--method", "random_"], "--method random_: unknown; did you mean 'random'?"),
        ("data: {}\n", ["fit", "--restrt"], "--restart"),
        ("data: {}\n", ["fitt"], "'fit'"),
    ],
    ids=["missing", "yaml", "twice", "key", "vary", "front", "search", "option", "command"],
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


def test_a_variation_is_divided_outside_brackets():
    assert split_variation("a.b = [1, 2], {c: 3}") == ("a.b", ["[1, 2]", "{c: 3}"])


def test_a_config_with_known_sections_passes(tmp_path):
    (tmp_path / "config.yaml").write_text("data: 1\nschema: 2\n")
    check_config(tmp_path / "config.yaml")
