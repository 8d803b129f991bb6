from pathlib import Path
from typing import Any

import pytest

from training.config.experiment import Experiment, checked
from training.exposures.labels import Label
from training.exposures.log_columns import LogColumns
from training.simulator import SimulatorConfig, World

LABELS = [Label("click", "click", "any"), Label("watch_time", "watch_time", "sum")]
CONFIG: dict[str, Any] = {
    "data": {"split": {"by": "random", "fraction": 0.2}},
    "schema": {
        "candidate_id": "item_id",
        "context": {"user_id": {"kind": "categorical"}, "device": {"kind": "categorical"}},
        "candidate": {"item_id": {"kind": "categorical"}, "duration_s": {"kind": "numeric"}},
        "tasks": {"click": {"kind": "binary"}, "watch_time": {"kind": "regression", "given": "click"}},
    },
    "architecture": "shared_bottom",
}


@pytest.fixture(scope="session")
def small_world() -> World:
    return World(SimulatorConfig(rows=2_000, seed=3, users=200, items=300, authors=30, days=3))


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    return checked(CONFIG)


@pytest.fixture
def columns(experiment: Experiment) -> LogColumns:
    return LogColumns(experiment, [label.column for label in LABELS], {})


@pytest.fixture
def exposures(tmp_path: Path) -> Path:
    return tmp_path / "exposures"
