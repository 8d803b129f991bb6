"""What kinds of task have in common whose labels are one of several numbers: levels or classes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import log
from typing import ClassVar

import numpy as np

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import Floats, Mask, Task
from ranker.tasks.regression import Regression


class OneOf(Task):
    """A label that is one of K numbers, of which a model learns the probabilities by K - 1 logits.

    If all logits are 0, the K numbers are equally likely.
    """

    plural: ClassVar[str]
    """What the numbers are, for messages: ``levels``."""
    default_metric: ClassVar[str] = "rmse"
    uncertainty_factor: ClassVar[float] = 1.0

    @property
    @abstractmethod
    def numbers(self) -> tuple[float, ...]:
        """The numbers [K], as labels have them."""

    @abstractmethod
    def shares(self, labels: tf.Tensor) -> tf.Tensor:
        """How far each label [B] is each number, [B, K]."""

    @property
    def logits(self) -> int:
        """One less than there are numbers."""
        return len(self.numbers) - 1

    @property
    def expects(self) -> str:
        """Allowed labels, for messages."""
        return f"one of the {self.plural} {', '.join(f'{number:.9g}' for number in self.numbers)}"

    def allowed(self, labels: Floats) -> Mask:
        """Whether each label [N] is a number in single precision, in which logs may hold it; mask [N]."""
        with np.errstate(over="ignore"):
            return np.isin(labels.astype(np.float32), np.array(self.numbers, np.float32))

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """Which number each label [B] is, [B, K]; their means are the numbers' shares."""
        return self.shares(labels)

    def constant_loss(self, means: Sequence[float]) -> float:
        """Entropy of the label."""
        return -sum(share * log(share) for share in means if share > 0)

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """The loss of equal probabilities, log K."""
        del probability
        return sum(means) * log(len(self.numbers))

    def taught(self) -> Regression:
        """A regression: the score to learn is one number, which with ``given`` may lie outside of the label's."""
        return Regression(kind="regression")
