"""Configs of schedules and optimisers, trained for real on a small simulated log."""

from pathlib import Path

import numpy as np
import pytest

from training.config.experiment import load
from training.trainer.train import train

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


@pytest.mark.parametrize("name", ["alternating", "staged", "optimizer_groups", "per_task_moments"])
def test_it_trains(log, tmp_path, name):
    shipped = load(CONFIGS / f"{name}.yaml")
    epochs = 1 + sum(phase.epochs or 0 for phase in shipped.schedule.phases[:-1])
    small = {"epochs": epochs, "batch_size": 64}
    run = train(shipped.model_copy(update={"training": shipped.training.model_copy(update=small)}), [log], tmp_path)
    assert len(run.history) == epochs
    assert np.isfinite(list(run.history[-1]["losses"].values())).all()
