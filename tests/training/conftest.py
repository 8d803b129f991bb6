"""One simulated log and one small trained, exported model for all tests of this folder, in whatever process."""

import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from rich.console import Console

from ranker.file_locks import locked
from training.commands.fit import fit
from training.config.experiment import Experiment, load
from training.simulator import SimulatorConfig, simulate

CONFIG = {
    "data": {"split": {"by": "time", "column": "date", "last": 2}},
    "schema": {
        "candidate_id": "item_id",
        "context": {
            "user_id": {"kind": "categorical", "min_count": 2, "dimension": 4},
            "user_age": {"kind": "numeric"},
            "device": {"kind": "categorical", "dimension": 4},
            "history": {"kind": "sequence", "shares": "item_id", "max_length": 5, "pooling": "din"},
        },
        "candidate": {
            "item_id": {"kind": "categorical", "dimension": 4},
            "tags": {"kind": "multi", "max_length": 3, "dimension": 4},
            "duration_s": {"kind": "numeric", "transform": "log1p"},
            "item_embedding": {"kind": "dense", "size": 8},
        },
        "tasks": {
            "click": {"kind": "binary"},
            "like": {"kind": "binary", "given": "click"},
            "watch_time": {"kind": "regression", "given": "click", "transform": "log1p"},
        },
        "label_statistics": {"of": ["user_id", "item_id"], "fold_by": "date"},
    },
    "architecture": {"name": "ple", "expert_units": [8, 6], "towers": [4], "dropout": 0.1},
    "weighting": {"name": "pe_ltr", "bounds": 0.1},
    "embedding": {"dropout": 0.05, "l2": 1e-5},
    "training": {"epochs": 3, "batch_size": 128, "shuffle_rows": 1000, "checkpoint_every": 12},
    "evaluation": {"group_by": "user_id", "bootstrap": 20},
    "fusion": {
        "name": "multiplicative",
        "parameters": {"power": {"like": 0.5}},
        "calibration": {"watch_time": "scale"},
    },
}


QUICK = {
    **CONFIG,
    "schema": {
        "candidate_id": "item_id",
        "context": {"user_id": {"kind": "categorical", "dimension": 4}, "user_age": {"kind": "numeric"}},
        "candidate": {"item_id": {"kind": "categorical", "dimension": 4}},
        "tasks": CONFIG["schema"]["tasks"],
    },
    "architecture": {"name": "shared_bottom", "bottom": [6], "towers": [4], "dropout": 0.1},
    "weighting": "static",
    "evaluation": {"bootstrap": 0},
    "fusion": "additive",
}
"""Of the same log, for tests of what a run does whatever its model: it compiles in a fraction of the time."""


class Trained(NamedTuple):
    log: Path
    config: Path
    experiment: Experiment
    output: Path
    printed: str


def written(folder: Path, base: Mapping[str, object] = CONFIG, **changes: object) -> Path:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**base, **changes}, sort_keys=False))
    return path


def quick(folder: Path, **changes: object) -> Experiment:
    """``QUICK`` with changes."""
    return load(written(folder, QUICK, **changes))


def once(folder: Path, make: Callable[[Path], object]) -> Path:
    """The folder, made by the first process that asks for it; the others wait."""
    with locked(folder.with_name(f"{folder.name}.lock")):
        if not (folder / "made").exists():
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def log(shared) -> Path:
    config = SimulatorConfig(rows=4000, seed=3, users=200, items=120, authors=20, days=8)
    return once(shared / "simulated", lambda folder: simulate(config, folder / "log")) / "log"


def trained_once(name: str, base: Mapping[str, object], log: Path, shared: Path, folder: Path) -> Trained:
    """A run of a config, exported; in ``folder`` as a copy of this process, as some tests write there."""

    def make(made: Path) -> None:
        screen, config = io.StringIO(), load(written(made, base))
        fit(config, log, output=made / "out", progress=Console(file=screen, width=160)).export()
        (made / "printed.txt").write_text(screen.getvalue(), encoding="utf-8")

    shutil.copytree(once(shared / name, make), folder, dirs_exist_ok=True)
    config, printed = folder / "config.yaml", (folder / "printed.txt").read_text(encoding="utf-8")
    return Trained(log, config, load(config), folder / "out", printed)


@pytest.fixture(scope="session")
def trained(log, shared, tmp_path_factory) -> Trained:
    """Of ``CONFIG``."""
    return trained_once("trained", CONFIG, log, shared, tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def quickly_trained(log, shared, tmp_path_factory) -> Trained:
    """Of ``QUICK``: what is exported again is exported in a fraction of the time."""
    return trained_once("quickly-trained", QUICK, log, shared, tmp_path_factory.mktemp("quickly-trained"))
