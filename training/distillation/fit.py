"""Trains a student on scored pairs; an interrupted training resumes after its last epoch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ranker.artifact import Artifact
from ranker.model import RankingModel
from training.config.student import StudentOptions
from training.data.batches import EncodedRows
from training.disk_full import is_disk_full
from training.distillation.student import build_student, student_experiment
from training.distillation.targets import targets
from training.distribution import One
from training.trainer.checkpoints import Checkpoints, RunState

Step = Callable[[int, int, int, dict[str, float]], None]
"""Called with epoch and step (from 1), steps per epoch, and the loss by task."""


class StudentDivergedError(RuntimeError):
    """The student's losses are not finite."""


def fit_student(
    artifact: Artifact, options: StudentOptions, rows: EncodedRows, folder: Path, step: Step
) -> RankingModel:
    """Train a student on pairs whose labels are the full model's scores.

    Each objective has its own task's loss: cross-entropy with the full model's probability, or the error in the space
    that the task transforms its labels to. Raises ``StudentDivergedError``, ``ConfigError`` for options that do not
    fit, and ``DiskFullError``.
    """
    steps = rows.steps(options.batch_size)
    experiment = student_experiment(artifact, options)
    learnt = targets(list(experiment.log_schema.tasks.values()), rows)
    model = build_student(artifact, options, steps, learnt)
    checkpoints = Checkpoints(model, folder)
    state, distribution = checkpoints.latest() or RunState(), One(experiment.training)
    try:
        while state.epoch < options.epochs:
            reporter = _Reporter(model.tasks, state.epoch + 1, steps, step)
            for number, logs in enumerate(distribution.steps(model, rows, state.epoch, 0, steps), start=1):
                reporter.record(number, logs)
            state = RunState(epoch=state.epoch + 1)
            checkpoints.save(state)
    except (OSError, tf.errors.OpError) as error:
        if not is_disk_full(error):
            raise
        raise checkpoints.disk_full(folder) from None
    return model


class _Reporter:
    """Reports each step's losses, and stops at the first that is not finite."""

    def __init__(self, tasks: list[str], epoch: int, steps: int, step: Step) -> None:
        self._tasks, self._epoch, self._steps, self._step = tasks, epoch, steps, step

    def record(self, number: int, logs: Mapping[str, Any]) -> None:
        losses = dict(zip(self._tasks, np.asarray(logs["losses"]).tolist(), strict=True))
        wrong = [task for task, loss in losses.items() if not np.isfinite(loss)]
        if wrong:
            raise StudentDivergedError(
                f"the student's loss of {', '.join(wrong)} is not finite in epoch {self._epoch}: lower the learning "
                "rates of its optimizer"
            )
        self._step(self._epoch, number, self._steps, losses)
