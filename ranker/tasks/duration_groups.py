"""What tasks of amounts within groups of durations share: the groups, and the labels they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import Floats
from ranker.tasks.non_negative import NonNegative
from ranker.tasks.regression import Regression

FEWEST = 100
"""Fewest rows of a group: of fewer, quantiles are noise."""


class WithinDuration(NonNegative):
    """Base of kinds that are fitted within groups of equal frequency of a numeric feature.

    Their losses depend on a row's group, so that the loss of a constant cannot be told from the labels alone: it is
    found by fitting, on the rows fitted on, and part of the state.
    """

    groups: int = Field(
        30, ge=1, le=1000, description="Groups of durations, of equal frequency; fewer with under 100 rows in each."
    )

    is_fitted: ClassVar[bool] = True
    default_metric: ClassVar[str] = "rmse"
    uncertainty_factor: ClassVar[float] = 1.0

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """One 0 a label [B, 1]: the losses of constants are part of the state."""
        return tf.zeros_like(labels)[:, None]

    def constant_loss(self, means: Sequence[float]) -> float:
        """Loss of the best constant prediction on the rows fitted on."""
        del means
        return float(self.state["constant_loss"])

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Loss on the rows fitted on if all logits are 0."""
        del means, probability
        return float(self.state["untrained_loss"])

    def taught(self) -> Regression:
        """A regression of the log: the score to learn is one amount of at least 0."""
        return Regression(kind="regression", transform="log1p")

    def group_edges(self, numbers: Floats) -> NDArray[np.float32]:
        """Edges [G - 1] between groups of packed numbers [N], in ascending order; a number on an edge lies above it."""
        count = min(self.groups, len(numbers) // FEWEST)
        if count < 2:
            return np.zeros(0, dtype=np.float32)
        ordered = np.sort(numbers.astype(np.float32))
        edges = np.unique(ordered[len(ordered) * np.arange(1, count) // count])
        return np.asarray(edges[edges > ordered[0]])

    def of_group(self, table: str, logits: tf.Tensor) -> tf.Tensor:
        """Each row's row [B, Q] of a table of the state [G, Q], by the last column of logits; [1, Q] if G is 1."""
        values = tf.constant(self.state[table], logits.dtype)
        edges = self.state["edges"]
        if not len(edges):
            return values
        above = logits[:, -1:] >= tf.constant(edges, logits.dtype)
        return tf.gather(values, tf.reduce_sum(tf.cast(above, tf.int32), axis=1))
