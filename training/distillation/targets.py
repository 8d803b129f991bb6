"""Puts the objectives of a student on one scale, whatever the spread of their scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ranker.funnels import EntireSpace
from ranker.funnels.base import Errors
from ranker.schema import Schema
from ranker.tasks import Task
from training.data.batches import EncodedRows

ROWS = 50_000
"""Most rows that are looked at, from the first on."""
BOUND, HALVINGS = 100.0, 60
NEGLIGIBLE = 1e-9
"""Loss to learn below which scores differ only by rounding."""


class Target(NamedTuple):
    """One objective: mean and standard deviation of its logits, and the weight of its loss."""

    mean: float
    scale: float
    weight: float


def targets(tasks: Sequence[Task], rows: EncodedRows) -> list[Target]:
    """Means, scales and weights of the T objectives, from the scores that are their labels.

    A weight is the inverse of what is to be learnt: the loss of the mean logit, minus that of the scores themselves.
    The cross-entropy with probabilities of .27 to .29 is nearly all entropy: an objective whose scores vary little
    would count for nothing beside others, although its order within a request is as important.
    """
    parts, count = [], 0
    for (part,) in rows.columns("labels"):
        parts.append(part)
        count += len(part)
        if count >= ROWS:
            break
    labels = np.concatenate(parts)[:ROWS]
    return [_target(task, labels[:, i]) for i, task in enumerate(tasks)]


def _target(task: Task, labels: NDArray[np.float32]) -> Target:
    counts = task.loss_weights(tf.constant(labels))
    weights = np.ones(len(labels)) if counts is None else counts.numpy().astype(np.float64)
    weights = weights / max(weights.sum(), 1e-12)
    logits = inverse(task, labels)
    mean = float(logits.mean(dtype=np.float64))

    def loss(values: NDArray[np.float32]) -> float:
        each = task.losses(tf.constant(labels), tf.constant(values[:, None])).numpy().astype(np.float64)
        return float((each * weights).sum())

    left = loss(np.full_like(labels, mean)) - loss(logits)
    return Target(mean, float(logits.std(dtype=np.float64)), 1.0 / left if left > NEGLIGIBLE else 1.0)


def inverse(task: Task, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits [M] whose scores are ``scores`` [M], by bisection, since a task's score increases with its logit."""
    low, high = np.full_like(scores, -BOUND), np.full_like(scores, BOUND)
    while True:  # scores without a transform may be of any size
        beyond = (task.score(tf.constant(high[:, None])).numpy() < scores) & (high < 1e30)
        below = (task.score(tf.constant(low[:, None])).numpy() > scores) & (low > -1e30)
        if not (beyond | below).any():
            break
        high, low = np.where(beyond, high * 100, high), np.where(below, low * 100, low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        above = task.score(tf.constant(middle[:, None])).numpy() >= scores
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray((low + high) / 2, dtype=np.float32)


class Standardised(EntireSpace):
    """Independent tasks whose heads learn standardised logits: ``mean + scale * output``.

    An objective's logits may vary by .01 around their mean. Heads would first have to unlearn the variance of their
    initial outputs, and a step of the optimiser would move them by more than all they are to tell apart.
    """

    def __init__(self, schema: Schema, learnt: Sequence[Target]) -> None:
        super().__init__(schema)
        self._learnt = list(learnt)

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Losses of the logits that the outputs stand for."""
        return super().losses(self._logits(logits), labels, weights, errors)

    def scores(self, logits: list[tf.Tensor]) -> tf.Tensor:
        """Scores [B, T] of the logits that the outputs stand for."""
        return super().scores(self._logits(logits))

    def _logits(self, outputs: list[tf.Tensor]) -> list[tf.Tensor]:
        return [target.mean + target.scale * output for target, output in zip(self._learnt, outputs, strict=True)]
