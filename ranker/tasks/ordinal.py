"""Ordinal tasks: one of several ordered levels, such as a rating; served as the expected level."""

from __future__ import annotations

from itertools import pairwise
from math import log
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import TASK_KINDS, Floats, Trait
from ranker.tasks.one_of import OneOf

LEAST_GAP = 1e-4
"""Smallest difference of successive cumulative logits, so that the probability between them has a logarithm."""


@TASK_KINDS.register("ordinal")
class Ordinal(OneOf):
    """One of K ordered levels; null means unknown.

    Cumulative logits (McCullagh, "Regression models for ordinal data", 1980): the probability of a label above level k
    is ``sigmoid(z_k)``, with ``z_1 > z_2 > ...``. The first logit is z_1, and each further one, by its softplus, is how
    far the next cumulative logit lies below, so that the thresholds stay in order for every row. Constants are added to
    the logits, so that all levels are equally likely where these are 0, as before training.
    """

    kind: Literal["ordinal"]
    levels: tuple[float, ...] = Field(
        (1, 2, 3, 4, 5),
        min_length=2,
        max_length=20,
        description="The labels in ascending order; their differences are what the expected level counts in.",
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"amount", "expected_value", "grades"})
    plural: ClassVar[str] = "levels"
    typical_loss: ClassVar[float] = log(5)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The levels [K]."""
        return self.levels

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Negative log likelihoods [B] of labels [B] and logits [B, K - 1].

        A number between two levels counts as both, by its nearness to each.
        """
        above, gaps = self._cumulative(logits)
        # The probability of a level is sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)).
        below = tf.math.log_sigmoid(-above)
        least, most = below[:, :1], tf.math.log_sigmoid(above[:, -1:])
        between = tf.math.log_sigmoid(above[:, :-1]) + below[:, 1:] + tf.math.log(-tf.math.expm1(-gaps))
        return -tf.reduce_sum(self.shares(labels) * tf.concat([least, between, most], axis=1), axis=1)

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, K - 1] to expected levels [B]."""
        steps = tf.constant([high - low for low, high in pairwise(self.levels)], logits.dtype)
        return self.levels[0] + tf.reduce_sum(tf.sigmoid(self._cumulative(logits)[0]) * steps, axis=1)

    def grades(self, labels: tf.Tensor) -> tf.Tensor:
        """How far labels [B] lie above the lowest level [B]."""
        return labels - self.levels[0]

    def list_logit(self, logits: tf.Tensor) -> tf.Tensor:
        """The expected level [B]: no single one of the logits [B, K - 1] has its order."""
        return self.score(logits)

    def _cumulative(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """``z`` [B, K - 1], descending, and its gaps [B, K - 2]: differences of a large ``z`` would round to 0."""
        first, shifts = self._uniform()
        gaps = tf.math.softplus(logits[:, 1:] + tf.constant(shifts, logits.dtype)) + LEAST_GAP
        above = logits[:, :1] + tf.constant(first, logits.dtype)
        return above - tf.concat([tf.zeros_like(above), tf.cumsum(gaps, axis=1)], axis=1), gaps

    def _uniform(self) -> tuple[float, Floats]:
        """What is added to the first logit and to each further one [K - 2], so that zeros make all levels alike."""
        above = 1.0 - np.arange(1, len(self.levels)) / len(self.levels)
        z = np.log(above) - np.log1p(-above)
        return float(z[0]), np.log(np.expm1(-np.diff(z) - LEAST_GAP))

    def shares(self, labels: tf.Tensor) -> tf.Tensor:
        """How far each label [B] is each level, [B, K]: 1 for a level, shared by the two next to a number between."""
        levels = tf.constant(self.levels, labels.dtype)
        beyond = (labels[:, None] - levels[:-1]) / (levels[1:] - levels[:-1])
        beyond = tf.clip_by_value(beyond, 0.0, 1.0)
        ones, zeros = tf.ones_like(beyond[:, :1]), tf.zeros_like(beyond[:, :1])
        return tf.concat([ones, beyond], axis=1) - tf.concat([beyond, zeros], axis=1)

    @field_validator("levels")
    @classmethod
    def _ascend(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(value)):
            raise ValueError("must ascend, each level once, such as [1, 2, 4]")
        for level in value:
            if abs(level) > float(np.finfo(np.float32).max):
                raise ValueError(f"must be at most 3.4e38 in size, as single precision holds, and {level:g} is not")
        for low, high in pairwise(value):
            if np.float32(low) == np.float32(high):
                raise ValueError(f"must differ in single precision, and {low!r} and {high!r} do not; use larger steps")
        return value
