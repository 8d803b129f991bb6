"""Binary tasks: a label in {0, 1}, cross-entropy loss, served as a probability."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks.base import TASK_KINDS, Floats, Mask, Task, Trait, TreeTarget, cross_entropy


@TASK_KINDS.register("binary")
class Binary(Task):
    """A label in {0, 1}; null means unknown."""

    kind: Literal["binary"]
    positive_weight: float = Field(
        1.0, gt=0, le=1e6, description="Weight factor of rows whose label is 1; it also scales the served odds."
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"binary_labels", "probability", "expected_value", "grades"})
    default_metric: ClassVar[str] = "auc"
    typical_loss: ClassVar[float] = log(2)
    uncertainty_factor: ClassVar[float] = 1.0
    contradiction: ClassVar[str] = "is 1"

    @property
    def expects(self) -> str:
        """Allowed labels, for messages."""
        return "a label in {0, 1}"

    def allowed(self, labels: Floats) -> Mask:
        """Whether each number [N] is 0 or 1; mask [N]."""
        return np.asarray((labels == 0) | (labels == 1))

    def label_weights(self, labels: Floats) -> Floats | None:
        """Weight factors [N]: ``positive_weight`` where the label is 1."""
        return None if self.positive_weight == 1 else np.where(labels == 1, self.positive_weight, 1.0)

    def tree_target(self, labels: Floats) -> TreeTarget:
        """Cross-entropy of the labels [N]; the trees' sum is the log odds."""
        return TreeTarget("cross_entropy", labels)

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Reason if all labels are of one class."""
        if not nonzero:
            return "no label is 1"
        return "every known label is 1" if nonzero == known else None

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Cross-entropies [B] of labels [B] and logits [B, 1]."""
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits[:, 0])

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, 1] to probabilities [B]."""
        return tf.sigmoid(logits[:, 0])

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """The labels [B, 1]; their mean is the positive rate."""
        return labels[:, None]

    def constant_loss(self, means: Sequence[float]) -> float:
        """Entropy of the label."""
        return cross_entropy(means[0], means[0])

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Cross-entropy of the constant ``probability``."""
        return cross_entropy(means[0], probability)
