"""Regression tasks: squared error, Huber or weighted logistic loss, served in the label's unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import TASK_KINDS, Floats, Mask, Task, Trait, TreeTarget, cross_entropy


@TASK_KINDS.register("regression")
class Regression(Task):
    """A number, for example seconds watched; null means unknown."""

    kind: Literal["regression"]
    transform: Literal["none", "log1p"] = Field("none", description="log1p: learn log(1 + y), for y >= 0.")
    loss: Literal["mse", "huber", "weighted_logistic"] = Field(
        "mse",
        description="mse, huber, or weighted_logistic for y >= 0: a row counts as y positives, and the odds are the "
        "expected y.",
    )
    huber_delta: float = Field(1.0, gt=0, description="Threshold where Huber loss turns linear, in transformed units.")
    negatives: Literal["every_row", "zeros"] = Field(
        "every_row",
        description="For weighted_logistic, the rows that also count as one negative. every_row: the odds are the mean "
        "label. zeros, as in the paper: the odds are the mean label divided by the share of zeros.",
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"amount", "expected_value"})
    default_metric: ClassVar[str] = "rmse"
    typical_loss: ClassVar[float] = 1.0
    uncertainty_factor: ClassVar[float] = 0.5

    @property
    def weighted_logistic(self) -> bool:
        """Whether the logit is the log of the expected label."""
        return self.loss == "weighted_logistic"

    @property
    def needs_positive(self) -> str | None:
        """Option that requires labels of at least 0, if any."""
        return "weighted_logistic" if self.weighted_logistic else "log1p" if self.transform == "log1p" else None

    @property
    def expects(self) -> str:
        """Allowed labels, for messages."""
        return f"a value of at least 0, as {self.needs_positive} needs" if self.needs_positive else "a finite number"

    def allowed(self, labels: Floats) -> Mask:
        """Whether each finite number [N] is allowed: all are, or those of at least 0; mask [N]."""
        return np.asarray(labels >= 0) if self.needs_positive else np.ones(len(labels), dtype=bool)

    def tree_target(self, labels: Floats) -> TreeTarget:
        """The loss on the transformed labels [N]; weighted logistic loss is the cross-entropy of y / (y + n)."""
        if self.weighted_logistic:
            negatives = np.ones_like(labels) if self.negatives == "every_row" else (labels == 0).astype(np.float64)
            return TreeTarget("cross_entropy", labels / (labels + negatives), labels + negatives)
        target = np.log1p(labels) if self.transform == "log1p" else labels
        if self.loss == "huber":
            return TreeTarget("huber", target, parameters={"alpha": self.huber_delta})
        return TreeTarget("regression", target)

    def taught(self) -> Task:
        """Every row counts as one negative: scores are hardly ever 0, so that ``zeros`` would leave no negatives."""
        return super().taught().model_copy(update={"negatives": "every_row"})

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Reason if weighted logistic regression has no positives."""
        del known
        return "no label is above 0" if self.weighted_logistic and not nonzero else None

    def divergence_advice(self, name: str) -> str | None:
        """Advise smaller labels, by a transform or another unit."""
        return f"tasks.{name}.transform: log1p, or a label in larger units"

    def loss_weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """Number of positives plus negatives [B] that each label counts as in weighted logistic regression."""
        return labels + self._negatives(labels) if self.weighted_logistic else None

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Losses [B] of labels [B] and logits [B, 1].

        Squared error or Huber's loss on the transformed label, or weighted logistic regression (Covington, Adams and
        Sargin, RecSys 2016): a label y counts as y positives and n negatives, so the loss is the cross-entropy of the
        target ``y / (y + n)`` with weight ``y + n``. The optimal odds are ``E[y] / E[n]``, which is the mean label if
        every row has one negative.
        """
        target, value = self._target(labels), logits[:, 0]
        if self.weighted_logistic:
            return tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=value)
        if self.loss == "huber":
            return tf.keras.losses.huber(target[:, None], logits, delta=self.huber_delta)
        return tf.math.squared_difference(value, target)

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, 1] to values [B] in the label's unit."""
        value = logits[:, 0]
        bounded = tf.minimum(value, 80.0)  # avoids overflow in single precision
        if self.weighted_logistic:
            return tf.exp(bounded)
        return tf.exp(tf.nn.relu(bounded)) - 1.0 if self.transform == "log1p" else value

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """The target and its square [B, 2]."""
        target = self._target(labels)
        return tf.stack([target, target**2], axis=1)

    def constant_loss(self, means: Sequence[float]) -> float:
        """Variance of the target, Huber loss of its standard deviation, or entropy of weighted logistic regression."""
        mean, square = means
        return cross_entropy(mean, mean) if self.weighted_logistic else self._error(square - mean**2)

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Loss of predicting a target of 0, or odds of 1."""
        del probability
        return cross_entropy(means[0], 0.5) if self.weighted_logistic else self._error(means[1])

    def _target(self, labels: tf.Tensor) -> tf.Tensor:
        """Regression targets [B] of labels [B]: transformed labels."""
        if self.weighted_logistic:
            return labels / (labels + self._negatives(labels))
        return tf.math.log1p(labels) if self.transform == "log1p" else labels

    def _negatives(self, labels: tf.Tensor) -> tf.Tensor:
        """Number of negatives [B] that each row [B] counts as in weighted logistic regression."""
        return tf.ones_like(labels) if self.negatives == "every_row" else tf.cast(labels == 0, labels.dtype)

    def _error(self, square: float) -> float:
        """Loss of a mean squared error: exact for mse; for Huber, the loss of its square root."""
        square = max(square, 0.0)
        if self.loss == "huber":
            delta, root = self.huber_delta, square**0.5
            return square / 2 if root <= delta else delta * (root - delta / 2)
        return square

    @model_validator(mode="after")
    def _fits_the_loss(self) -> Self:
        if self.weighted_logistic and self.transform != "none":
            raise ValueError(
                f"loss: weighted_logistic already learns the log of the mean label; leave out transform: "
                f"{self.transform}"
            )
        if self.negatives == "zeros" and not self.weighted_logistic:
            raise ValueError(f"negatives: zeros applies to loss: weighted_logistic only, got loss: {self.loss}")
        if self.negatives == "zeros" and self.given is not None:
            raise ValueError(
                f"negatives: zeros takes negatives from rows whose label is 0, but rows given {self.given!r} have few "
                "or none, so the odds would be unbounded; leave it out to count every row as one negative"
            )
        return self
