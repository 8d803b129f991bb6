"""Watch time as its quantile among items of similar duration (D2Q), served in the label's unit."""

from __future__ import annotations

from math import log
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.task_state import TaskState
from ranker.tasks.base import TASK_KINDS, Floats, Trait, cross_entropy, exact_sigmoid
from ranker.tasks.duration_groups import WithinDuration


@TASK_KINDS.register("quantile_of_duration")
class QuantileOfDuration(WithinDuration):
    """An amount of at least 0, learnt as its quantile within the row's group of durations; null means unknown.

    Zhan et al., "Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation", KDD 2022. The sigmoid
    of the logit is the expected quantile, and the score is the amount that has it in the group. Here the loss is the
    cross-entropy instead of the squared error: the best prediction is the same, and its gradient does not vanish.
    """

    kind: Literal["quantile_of_duration"]
    duration: str = Field(description="Numeric feature by which rows are grouped, such as a video's duration.")
    quantiles: int = Field(100, ge=2, le=1000, description="Steps of a group's quantile function.")

    traits: ClassVar[frozenset[Trait]] = frozenset({"amount"})
    typical_loss: ClassVar[float] = log(2)

    @property
    def reads(self) -> str:
        """The duration."""
        return self.duration

    def fit(self, labels: Floats, numbers: Floats, weights: Floats) -> TaskState:
        """Edges of the groups [G - 1], and their labels [G, Q + 1] at Q + 1 levels; weights do not move quantiles."""
        edges = self.group_edges(numbers)
        group = np.searchsorted(edges, numbers.astype(np.float32), side="right")
        levels = np.linspace(0, 1, self.quantiles + 1)
        values = np.zeros((len(edges) + 1, len(levels)), dtype=np.float32)
        targets = np.zeros(len(labels))
        rounded = labels.astype(np.float32)
        for each in range(len(values) if len(labels) else 0):
            own = group == each
            values[each] = np.quantile(rounded[own], levels)
            targets[own] = quantiles_of(rounded[own].astype(np.float64), values[each].astype(np.float64))
        mean = float(np.average(targets, weights=weights)) if len(labels) else 0.5
        arrays = {"edges": edges, "values": values}
        return TaskState(
            arrays | {"constant_loss": np.array(cross_entropy(mean, mean)), "untrained_loss": np.array(log(2))}
        )

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropies [B] of the quantiles of labels [B] and logits [B, 2], a logit and the packed duration."""
        values = self.of_group("values", logits)
        low, high, label = values[:, :-1], values[:, 1:], labels[:, None]
        width = high - low
        within = tf.clip_by_value(tf.math.divide_no_nan(label - low, width), 0.0, 1.0)
        # Steps between equal labels: a label is half-way up those that it equals.
        level = tf.cast(label > low, labels.dtype) + 0.5 * tf.cast(label == low, labels.dtype)
        quantile = tf.reduce_mean(tf.where(width > 0, within, level), axis=1)
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=quantile, logits=logits[:, 0])

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, 2], a logit and the packed duration, to the amounts [B] of the expected quantiles."""
        values = self.of_group("values", logits)
        # The lower half of the steps is counted from below, the upper half from above, where steps are largest.
        half, count = self.quantiles // 2, self.quantiles
        up = exact_sigmoid(logits[:, :1]) * count - tf.range(half, dtype=logits.dtype)
        down = tf.range(count - half, 0, -1, dtype=logits.dtype) - exact_sigmoid(-logits[:, :1]) * count
        climbed = tf.clip_by_value(tf.concat([up, down], axis=1), 0.0, 1.0)
        return values[:, 0] + tf.reduce_sum(climbed * (values[:, 1:] - values[:, :-1]), axis=1)


def quantiles_of(labels: Floats, values: Floats) -> Floats:
    """Quantiles [N] in [0, 1] of labels [N] by a quantile function's ``values`` [Q + 1], linear between them.

    A label that equals several values has the middle of their levels.
    """
    first, after = np.searchsorted(values, labels, side="left"), np.searchsorted(values, labels, side="right")
    last = len(values) - 1
    below = np.clip(after - 1, 0, last - 1)
    width = values[below + 1] - values[below]
    between = below + np.clip((labels - values[below]) / np.where(width > 0, width, 1.0), 0, 1)
    level: Floats = np.where(after > first, (first + after - 1) / 2, between) / last
    return level
