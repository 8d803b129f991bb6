"""The error of a diverged run: non-finite losses or scores, with facts and advice."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.config.experiment import Experiment
from training.data.batches import EncodedRows


class DivergedError(ValueError):
    """Non-finite training losses of ``tasks``, or with ``step`` None, non-finite validation scores after the epoch."""

    def __init__(self, tasks: Sequence[str], epoch: int, step: int | None = None) -> None:
        self.tasks, self.epoch, self.step = tuple(tasks), epoch, step
        quantity, when = ("scores", "after") if step is None else ("loss", "in")
        at = f"{when} epoch {epoch}" if step is None else f"{when} epoch {epoch}, step {step}"
        super().__init__(f"training diverged: {quantity} not finite {at}, for {', '.join(tasks)}")


def explanation(error: DivergedError, experiment: Experiment, rows: EncodedRows, kept: int | None, output: str) -> str:
    """The error message with the relevant facts, what to try, and which epoch of ``output`` is ``kept``."""
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
        "No epoch finished, so nothing is kept"
        if kept is None
        else f"Epoch {kept} is kept: `ranker-train export {output}` exports it, `fit --restart` starts over"
    )
    return f"{error} ({'; '.join(facts)}). Try {', '.join(advice)}. {saved}"


def _rates(experiment: Experiment) -> dict[str, float]:
    groups: Mapping[str, Any] = {
        "optimizer.dense": experiment.optimizer.dense,
        "optimizer.embeddings": experiment.optimizer.embeddings,
    }
    return {path: float(group.learning_rate) for path, group in groups.items()}


def _largest_labels(rows: EncodedRows, tasks: Sequence[str]) -> dict[str, float]:
    largest = np.max([np.abs(labels).max(axis=0) for (labels,) in rows.columns("labels")], axis=0)
    return dict(zip(tasks, largest.tolist(), strict=True))
