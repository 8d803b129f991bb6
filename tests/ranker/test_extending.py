"""The examples of docs/extending.md, added to a copy of the library, pass the contract tests of their registries."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTIONS = {
    heading.strip(): text
    for heading, text in re.findall(
        r"^## (.*?)\n(.*?)(?=^## |\Z)", (ROOT / "docs" / "extending.md").read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
}
CONTRACTS = {
    "An architecture": ("tests/ranker/architectures/test_contract.py", "my_net"),
    "A weighting": ("tests/ranker/weighting/test_contract.py", "geometric"),
    "A fusion": ("tests/ranker/fusion/test_contract.py", "square_root"),
    "An exploration": ("tests/ranker/fusion/exploration/test_contract.py", "zipf"),
    "An off-policy estimator": ("tests/training/off_policy/test_estimators.py", "place_baseline"),
    "A task kind": ("tests/ranker/tasks/test_contract.py", "count"),
    "A list loss": ("tests/ranker/rank_losses/test_contract.py", "squared_difference"),
    "A metric": ("tests/ranker/metrics/test_contract.py", "brier"),
}
"""Section to the contract test of its registry, and the name that the example registers."""
ELSEWHERE = {
    "A feature kind": "tests/ranker/encoding/kinds/test_docs.py",
    "A data source": "tests/ranker/log_files/test_contract.py",
}
"""Sections whose code runs in tests of their own."""
TABLE = "ranker/metrics/table.py"


def blocks(section):
    return re.findall(r"```python\n(.*?)```", SECTIONS[section], re.DOTALL)


def add(section, root):
    """Add a section's new file, and the lines it asks for in files that are there."""
    path = re.search(r"`((?:ranker|training)/\S+\.py)`:\n\n```python", SECTIONS[section])[1]
    source, *lines = blocks(section)
    assert not (root / path).exists()
    (root / path).write_text(source, "utf-8")
    if section == "A metric":
        row = re.search(r"`(Metric\(.*\),)`", SECTIONS[section])[1]
        table = (root / TABLE).read_text("utf-8")
        table = table.replace("from ranker.metrics.auc ", f"{lines[0]}from ranker.metrics.auc ", 1)
        (root / TABLE).write_text(table.replace("_ROWS = (\n", f"_ROWS = (\n    {row}\n", 1), "utf-8")
        return
    package = re.search(r"`((?:ranker|training)/\S+/__init__\.py)`", SECTIONS[section])[1]
    module = path.removesuffix(".py").replace("/", ".")
    name = re.search(r"\.register\(.*?\)\nclass (\w+)", source)[1]
    line = lines[0] if lines else f"from {module} import {name}\n"
    assert line.startswith(f"from {module} import {name}")
    with (root / package).open("a", encoding="utf-8") as file:
        file.write(line)


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the library and its tests with everything that the document adds."""
    root = tmp_path_factory.mktemp("extended")
    for folder in ("ranker", "training", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for section in CONTRACTS:
        add(section, root)
    return root


TESTS = f"""
import sys

sys.path[:] = [folder for folder in sys.path if folder != {str(ROOT)!r}]
for module in list(sys.modules):
    if module.partition(".")[0] in ("ranker", "training", "serving", "tests"):
        del sys.modules[module]
import pytest

sys.exit(pytest.main(sys.argv[1:]))
"""
"""Runs pytest on the copy in a Python that has imported the original, and TensorFlow."""


def in_copy(root, *command):
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_the_examples_keep_what_their_registries_promise(extended, warm_python):
    files = [file for file, _ in CONTRACTS.values()]
    # As a parameter: "count" alone is also in names of tests.
    names = " or ".join(f"[{name} or -{name}" for _, name in CONTRACTS.values())
    options = ("-p", "no:xdist", "-q", "--import-mode=importlib", "-rA")
    done = in_copy(extended, *warm_python, "-c", TESTS, *options, *files, "-k", names)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    for file, name in CONTRACTS.values():
        assert re.search(rf"PASSED {re.escape(file)}::.*{name}", done.stdout), f"no test of {name} in {file}"


CONFIG = """
from training.config.experiment import Experiment

config = Experiment.model_validate({
    "data": {"split": {"by": "random", "fraction": 0.1}},
    "schema": {
        "candidate": {"item_id": {"kind": "categorical"}},
        "tasks": {"click": {"kind": "binary"}, "visits": {"kind": "count", "given": "click"}},
    },
    "architecture": {"name": "my_net"},
    "weighting": {"name": "geometric"},
    "fusion": {"name": "square_root", "calibration": {"visits": "scale"}, "explore": {"kind": "zipf"}},
    "early_stopping": {"metric": "click.brier"},
})
print(config.architecture.name, config.weighting.name)
print(config.log_schema.tasks["visits"].kind, config.fusion.explore.kind)
"""


def test_a_config_takes_all_of_them_by_name(extended):
    done = in_copy(extended, sys.executable, "-c", CONFIG)
    assert done.stdout.split() == ["my_net", "geometric", "count", "zipf"], done.stderr[-2000:]


def test_every_section_with_code_is_tested():
    assert {section for section in SECTIONS if blocks(section)} == {*CONTRACTS, *ELSEWHERE}
    for section, file in ELSEWHERE.items():
        assert section in (ROOT / file).read_text("utf-8")
