"""Amounts in buckets of the label, by one probability per threshold, served as the expected amount."""

from __future__ import annotations

from math import log
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.task_state import TaskState
from ranker.tasks.base import TASK_KINDS, Floats, Trait, cross_entropy, exact_sigmoid
from ranker.tasks.duration_groups import WithinDuration


@TASK_KINDS.register("discretised")
class Discretised(WithinDuration):
    """An amount of at least 0, learnt by whether it exceeds each of K - 1 thresholds; null means unknown.

    Sun et al., "CREAD: A Classification-Restoration Framework with Error Adaptive Discretization for Watch Time
    Prediction in Video Recommender Systems", AAAI 2024. Thresholds are quantiles of the training labels, within groups
    of durations if ``duration`` is set. The score adds the steps between the mean labels of neighbouring buckets, each
    times the probability to exceed the threshold between them, which is the expected amount. The paper's steps are
    those between thresholds, of which the last bucket has no upper one.
    """

    kind: Literal["discretised"]
    duration: str | None = Field(
        None, description="Numeric feature by which rows are grouped, each group with its own thresholds; none: one."
    )
    buckets: int = Field(16, ge=2, le=100, description="Buckets of the label; each threshold between them is a head.")
    adapt: float = Field(
        0.0,
        ge=0,
        le=10,
        description="0: buckets of equal mass. Above: more of them for large labels, CREAD's alpha; its levels are "
        "(1 - exp(-adapt m / K)) / (1 - exp(-adapt)).",
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"amount", "expected_value"})
    typical_loss: ClassVar[float] = 0.5

    @property
    def reads(self) -> str | None:
        """The duration, if any."""
        return self.duration

    @property
    def logits(self) -> int:
        """One per threshold."""
        return self.buckets - 1

    @property
    def levels(self) -> Floats:
        """Levels [K - 1] of the thresholds among the labels, in (0, 1)."""
        even = np.arange(1, self.buckets) / self.buckets
        levels: Floats = np.expm1(-self.adapt * even) / np.expm1(-self.adapt) if self.adapt else even
        return levels

    def fit(self, labels: Floats, numbers: Floats, weights: Floats) -> TaskState:
        """Edges of the groups [G - 1], their thresholds [G, K - 1], and mean labels of their buckets [G, K]."""
        edges = self.group_edges(numbers) if self.duration is not None else np.zeros(0, dtype=np.float32)
        group = np.searchsorted(edges, numbers.astype(np.float32), side="right")
        thresholds = np.zeros((len(edges) + 1, self.buckets - 1), dtype=np.float32)
        means = np.zeros((len(edges) + 1, self.buckets))
        mass, rounded = np.zeros(self.buckets), labels.astype(np.float32)
        for each in range(len(thresholds) if len(labels) else 0):
            own = group == each
            limits = thresholds[each] = np.quantile(rounded[own], self.levels, method="lower")
            bucket, counts = np.searchsorted(limits, rounded[own], side="left"), weights[own]
            weight = np.bincount(bucket, counts, self.buckets)
            total = np.bincount(bucket, counts * rounded[own], self.buckets)
            # A bucket between equal thresholds is empty: its mean is that of none but the threshold itself.
            means[each] = np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.append(limits, limits[-1]))
            mass += weight
        return TaskState(
            {
                "edges": edges,
                "thresholds": thresholds,
                "means": means.astype(np.float32),
                "constant_loss": np.array(_constant_loss(mass)),
                "untrained_loss": np.array(log(2)),
            }
        )

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Mean cross-entropies [B], over the thresholds, of labels [B] and logits [B, K - 1], and the duration."""
        above = tf.cast(labels[:, None] > self.of_group("thresholds", logits), labels.dtype)
        logits = logits[:, : self.logits]
        above = tf.broadcast_to(above, tf.shape(logits))
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=above, logits=logits), axis=1)

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, K - 1], followed by the packed duration if any, to expected amounts [B]."""
        means = self.of_group("means", logits)
        steps = means[:, 1:] - means[:, :-1]
        return means[:, 0] + tf.reduce_sum(exact_sigmoid(logits[:, : self.logits]) * steps, axis=1)


def _constant_loss(mass: Floats) -> float:
    """Mean entropy of the thresholds, from the weight of the labels in each bucket [K]."""
    if not mass.sum():
        return 0.0
    shares = np.cumsum(mass[::-1])[::-1][1:] / mass.sum()
    return float(np.mean([cross_entropy(share, share) for share in np.clip(shares, 0, 1).tolist()]))
