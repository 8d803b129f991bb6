"""Zero-inflated lognormal tasks: amounts that are mostly 0 and else heavy-tailed, such as spend."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import ClassVar, Literal

import numpy as np

from ranker.lazy_tensorflow import tf
from ranker.task_state import TaskState
from ranker.tasks.base import TASK_KINDS, Floats, Trait, cross_entropy, exact_sigmoid
from ranker.tasks.non_negative import NonNegative
from ranker.tasks.regression import Regression

LEAST_DEVIATION = 0.1
"""Least deviation of the log of a positive label that the model may predict, in units of that of all positive labels.

It bounds the likelihood of labels that are all alike, and so the loss from below.
"""
_UNTRAINED = log(2) + LEAST_DEVIATION
"""Deviation at a logit of 0."""


@TASK_KINDS.register("ziln")
class ZeroInflatedLognormal(NonNegative):
    """An amount of at least 0, often 0; null means unknown.

    Wang, Liu and Miao, "A Deep Probabilistic Model for Customer Lifetime Value Prediction", 2019: three logits, of the
    probability that the label is above 0, and of mean and deviation of its log if it is. They are in units of the mean
    and deviation of the log of the positive labels of training, so that labels of any unit are learnt alike.
    """

    kind: Literal["ziln"]

    is_fitted: ClassVar[bool] = True
    traits: ClassVar[frozenset[Trait]] = frozenset({"amount", "expected_value"})
    default_metric: ClassVar[str] = "rmse"
    typical_loss: ClassVar[float] = 1.0
    uncertainty_factor: ClassVar[float] = 1.0

    @property
    def logits(self) -> int:
        """Probability, mean and deviation."""
        return 3

    def fit(self, labels: Floats, numbers: Floats, weights: Floats) -> TaskState:
        """Mean and deviation of the log of the positive labels, and the log of the largest one."""
        del numbers
        positive = labels > 0
        if not positive.any():
            return TaskState({"mean": np.array(0.0), "deviation": np.array(1.0), "largest": np.array(0.0)})
        logs, counts = np.log(labels[positive]), weights[positive]
        mean = np.average(logs, weights=counts)
        deviation = np.sqrt(np.average((logs - mean) ** 2, weights=counts))
        # Labels that differ by rounding alone have no scale.
        usable = deviation if deviation > 1e-6 * max(1.0, abs(mean)) else 1.0
        return TaskState({"mean": np.array(mean), "deviation": np.array(usable), "largest": np.array(logs.max())})

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Losses [B] of labels [B] and logits [B, 3].

        Cross-entropy of whether the label y is above 0, plus, if it is, ``log(s / s_0) + (u - m)^2 / (2 s^2)`` with
        ``u``, ``m`` and ``s`` the log of the label, its mean and its deviation in the units of training, and ``s_0``
        the least deviation. This is the negative log likelihood of y plus a constant, ``log(y s_0 / s)`` and further
        terms of the label alone, by which it is never below 0; gradients are those of the likelihood.
        """
        positive = tf.cast(labels > 0, labels.dtype)
        mean, deviation = self._of_log(logits)
        error = (self._standardised(labels) - mean) / deviation
        # Twice this large, a square still fits single precision.
        surprise = tf.math.log(deviation / LEAST_DEVIATION) + 0.5 * tf.minimum(tf.abs(error), 1e18) ** 2
        chance = tf.nn.sigmoid_cross_entropy_with_logits(labels=positive, logits=logits[:, 0])
        return chance + positive * surprise

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, 3] to expected labels [B], ``p exp(mu + sigma^2 / 2)``.

        The expected positive label is at most the largest label of training: beyond it the lognormal tail that is
        extrapolated has no evidence, and would overflow.
        """
        mean, deviation = self._of_log(logits)
        unit = float(self.state["deviation"])
        expected = float(self.state["mean"]) + unit * mean + 0.5 * tf.square(tf.minimum(unit * deviation, 1e9))
        return exact_sigmoid(logits[:, 0]) * tf.exp(tf.minimum(expected, float(self.state["largest"])))

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """Whether labels [B] are positive, and the standardised log of those that are with its square [B, 3]."""
        positive = tf.cast(labels > 0, labels.dtype)
        log_label = positive * self._standardised(labels)
        return tf.stack([positive, log_label, log_label**2], axis=1)

    def constant_loss(self, means: Sequence[float]) -> float:
        """Entropy of whether the label is positive, and loss of the best mean and deviation."""
        share, total, squares = means
        if share <= 0:
            return 0.0
        variance = max(squares / share - (total / share) ** 2, 0.0)
        deviation = max(float(np.sqrt(variance)), LEAST_DEVIATION)
        surprise = log(deviation / LEAST_DEVIATION) + variance / (2 * deviation**2)
        return cross_entropy(share, share) + share * surprise

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Loss if all logits are 0."""
        del probability
        share, _, squares = means
        return log(2) + share * log(_UNTRAINED / LEAST_DEVIATION) + squares / (2 * _UNTRAINED**2)

    def taught(self) -> Regression:
        """A regression of the log: the score to learn is one amount of at least 0."""
        return Regression(kind="regression", transform="log1p")

    def _of_log(self, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and deviation [B] of the standardised log of a positive label."""
        return logits[:, 1], tf.math.softplus(logits[:, 2]) + LEAST_DEVIATION

    def _standardised(self, labels: tf.Tensor) -> tf.Tensor:
        """Log of positive labels [B] in units of training; 0 is taken for 1."""
        logs = tf.math.log(tf.where(labels > 0, labels, tf.ones_like(labels)))
        return (logs - float(self.state["mean"])) / float(self.state["deviation"])
