"""A training whose losses or scores are no longer finite: what happened, and what to try."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.config.experiment import Experiment
from training.data.batches import EncodedRows


class DivergedError(ValueError):
    """Losses, or with ``step`` None the validation scores after the epoch, of ``tasks`` are not finite."""

    def __init__(self, tasks: Sequence[str], epoch: int, step: int | None = None) -> None:
        self.tasks, self.epoch, self.step = tuple(tasks), epoch, step
        what, where = ("scores", "after") if step is None else ("loss", "in")
        at = f"{where} epoch {epoch}" if step is None else f"{where} epoch {epoch}, step {step}"
        super().__init__(f"training diverged: {what} not finite {at}, of {', '.join(tasks)}")


def explained(error: DivergedError, experiment: Experiment, rows: EncodedRows, kept: int | None, output: str) -> str:
    """One line for a person: the numbers behind it, what to try, and which epoch of ``output`` is ``kept``."""
    tasks = experiment.log_schema.tasks
    rates, largest = _rates(experiment), _largest_labels(rows, list(tasks))
    facts = [f"{path}.learning_rate is {rate:g}" for path, rate in rates.items()]
    advice = ["a smaller learning rate", "optimizer.dense.clip_norm: 1"]
    for name in error.tasks:
        task = tasks.get(name)
        tip = task.divergence_advice(name) if task is not None else None
        if tip is not None:
            facts.append(f"the largest label of {name} is {largest[name]:g}")
            advice.append(tip)
    saved = (
        "no epoch was finished, so nothing is kept"
        if kept is None
        else f"epoch {kept} is kept: `ranker-train export {output}` exports it, and `fit --restart` starts anew"
    )
    return f"{error} ({'; '.join(facts)}). Try {', '.join(advice)}. Of this run, {saved}"


def _rates(experiment: Experiment) -> dict[str, float]:
    groups: Mapping[str, Any] = {
        "optimizer.dense": experiment.optimizer.dense,
        "optimizer.embeddings": experiment.optimizer.embeddings,
    }
    return {path: float(group.learning_rate) for path, group in groups.items()}


def _largest_labels(rows: EncodedRows, tasks: Sequence[str]) -> dict[str, float]:
    largest = np.max([np.abs(labels).max(axis=0) for (labels,) in rows.columns("labels")], axis=0)
    return dict(zip(tasks, largest.tolist(), strict=True))
