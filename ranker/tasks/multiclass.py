"""Tasks of several classes without an order, by softmax; served as a probability or an expected value."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import TASK_KINDS, Trait
from ranker.tasks.one_of import OneOf


@TASK_KINDS.register("multiclass")
class Multiclass(OneOf):
    """One of K classes, given by number; null means unknown.

    The softmax of 0 and the K - 1 logits: the first class is what others are compared with. The score is the expected
    value of the class: the probability of the classes listed as ``positive``, whose value is 1, or that of ``values``.
    Metrics compare it with the value of the label's class.
    """

    kind: Literal["multiclass"]
    classes: int | tuple[float, ...] = Field(
        description="How many classes there are, numbered from 0, or the list of their numbers in the label's column. "
        "Text has no number: a formula of other columns, or the log, must give one.",
    )
    positive: tuple[float, ...] | None = Field(
        None, min_length=1, description="Classes whose total probability is served; this or values is needed."
    )
    values: tuple[float, ...] | None = Field(
        None, description="Value of each class, in their order; the expected value is served."
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"amount", "expected_value"})
    plural: ClassVar[str] = "classes"
    typical_loss: ClassVar[float] = 1.0

    @property
    def numbers(self) -> tuple[float, ...]:
        """Numbers of the classes [K], as labels have them."""
        return tuple(map(float, range(self.classes))) if isinstance(self.classes, int) else self.classes

    @property
    def class_values(self) -> tuple[float, ...]:
        """Value of each class [K]."""
        if self.values is not None:
            return self.values
        return tuple(float(number in (self.positive or ())) for number in self.numbers)

    def outcome(self, labels: Any) -> Any:
        """Value of the class of each label [N], an array or a tensor; 0 for any other number."""
        where = np.where if isinstance(labels, np.ndarray) else tf.where
        known = labels.astype(np.float32) if isinstance(labels, np.ndarray) else labels
        found = labels * 0
        for number, value in zip(self.numbers, self.class_values, strict=True):
            found = where(known == np.float32(number), found * 0 + value, found)
        return found

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Negative log likelihoods [B] of labels [B] and logits [B, K - 1]."""
        return -tf.reduce_sum(self.shares(labels) * tf.nn.log_softmax(_with_first(logits)), axis=1)

    def probabilities(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, K - 1] to the probabilities of the classes [B, K]."""
        return tf.nn.softmax(_with_first(logits))

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, K - 1] to expected values [B]."""
        return tf.reduce_sum(self.probabilities(logits) * tf.constant(self.class_values, logits.dtype), axis=1)

    def shares(self, labels: tf.Tensor) -> tf.Tensor:
        """1 for the class of each label [B], else 0, [B, K]."""
        return tf.cast(labels[:, None] == tf.constant(self.numbers, labels.dtype), labels.dtype)

    @model_validator(mode="after")
    def _classes_and_values(self) -> Self:
        numbers = self.numbers
        if not 2 <= len(numbers) <= 100:
            raise ValueError(f"classes: must be 2 to 100, got {len(numbers)}")
        with np.errstate(over="ignore"):
            single = np.array(numbers, np.float32)
        if not np.isfinite(single).all() or len(np.unique(single)) < len(numbers):
            raise ValueError("classes: must be different numbers, also in single precision, each once")
        if (self.positive is None) == (self.values is None):
            raise ValueError(
                "set positive, the classes whose probability is the score, or values, a value for each class, whose "
                "expectation is the score; one of the two"
            )
        if self.values is not None and len(self.values) != len(numbers):
            raise ValueError(f"values: {len(self.values)} for {len(numbers)} classes; give each class one")
        for number in self.positive or ():
            if number not in numbers:
                raise ValueError(f"positive: {number:.9g} is not {self.expects}")
        with np.errstate(over="ignore"):
            if not np.isfinite(np.array(self.class_values, np.float32)).all():
                raise ValueError(f"values: must be finite in single precision, at most 3.4e38 in size: {self.values}")
        if len(set(self.class_values)) < 2:
            raise ValueError("all classes have the same value, so that all scores would be equal")
        return self


def _with_first(logits: tf.Tensor) -> tf.Tensor:
    """Logits [B, K - 1] after the first class's, which is 0, [B, K]."""
    return tf.concat([tf.zeros_like(logits[:, :1]), logits], axis=1)
