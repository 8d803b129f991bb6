"""Configs of schedules and optimisers, trained for real on a small simulated log."""

from pathlib import Path

import numpy as np
import orjson
import pytest

from training.config.experiment import load
from training.trainer.train import Run, train

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


def trained(name: str, log: Path, folder: Path) -> Run:
    """Train a shipped config until the first epoch of its last phase ends. Asserts that it trains."""
    shipped = load(CONFIGS / f"{name}.yaml")
    epochs = 1 + sum(phase.epochs or 0 for phase in shipped.schedule.phases[:-1])
    training = shipped.training.model_copy(update={"epochs": epochs, "batch_size": 64})
    evaluation = shipped.evaluation.model_copy(update={"bootstrap": 0})
    run = train(shipped.model_copy(update={"training": training, "evaluation": evaluation}), [log], folder)
    assert len(run.history) == epochs
    assert np.isfinite(list(run.history[-1]["losses"].values())).all()
    return run


def tasks_of_steps(run: Run) -> list[list[str]]:
    """The tasks that each step trained."""
    steps = map(orjson.loads, (run.folder / "steps.jsonl").read_bytes().splitlines())
    return [[task for task, weight in step["weight"].items() if weight] for step in steps]


@pytest.mark.parametrize("name", ["optimizer_groups", "per_task_moments"])
def test_it_trains(log, tmp_path, name):
    trained(name, log, tmp_path)


def test_alternating_takes_tasks_in_turn(log, tmp_path):
    tasks = tasks_of_steps(trained("alternating", log, tmp_path))
    order = ["click", "like", "share"]
    assert len(tasks) > 10
    assert tasks == [[order[i % 3]] for i in range(len(tasks))]


def test_staged_starts_tasks_one_after_another(log, tmp_path):
    run = trained("staged", log, tmp_path)
    tasks = tasks_of_steps(run)
    count = len(tasks) // len(run.history)
    for epoch, active in enumerate((["click"], ["click", "like"], ["click", "like", "watch_time"])):
        assert tasks[epoch * count : (epoch + 1) * count] == [active] * count
    assert run.best_epoch == 3  # what came before was not yet the whole
