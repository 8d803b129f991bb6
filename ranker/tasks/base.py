"""The interface of a task kind: labels, loss, score and metrics of one objective.

One file a kind, registered in :data:`TASK_KINDS`. Configs and artifacts hold a task's fields; methods on tensors import
TensorFlow when they are called, so that serving can read a schema without it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ranker.config.closed import Closed, ColumnName, Formula, formula
from ranker.lazy_tensorflow import tf
from ranker.registry import Registry

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
GivenConflicts = Literal["drop", "mask", "keep"]
Trait: TypeAlias = Literal["binary_labels", "probability", "amount", "expected_value"]
"""Property of a task that metrics and calibrations may need.

``binary_labels``: labels are 0 or 1. ``probability``: the score is the sigmoid of one logit, and the loss is the
cross-entropy of that probability. ``amount``: labels and scores are numbers of one unit.
``expected_value``: the score stands for the mean of the labels of such rows.
"""


class Task(Closed):
    """Fields that tasks of all kinds have, and what each kind defines."""

    column: ColumnName | None = Field(None, description="Column of the label; by default the task's own name.")
    label: Formula | None = Field(
        None, description="A formula of columns that is the label, instead of a column: click * (watch_time > 10)."
    )
    mask: ColumnName | None = Field(None, description="A 0/1 column: where it is 0 this task's label is unknown.")
    given: str | None = Field(
        None, description="Another task, binary: this task's label exists only where that one's is 1."
    )
    given_conflicts: GivenConflicts | None = Field(
        None,
        description="Rows whose label is not 0 although the label of `given` is 0. drop: leave these rows out for all "
        "tasks; mask: this label is unknown there; keep: this label counts as 0. By default more than 1 % is an error.",
    )
    weight: Formula | None = Field(
        None, description="A formula of columns: each row's weight in this task's training loss, at least 0."
    )
    kind: str
    """The name in ``TASK_KINDS``; each kind narrows it to a ``Literal`` of that name."""

    logits: ClassVar[int] = 1
    """Outputs of the model that the task needs, K. Heads have one output so far."""
    traits: ClassVar[frozenset[Trait]]
    default_metric: ClassVar[str]
    """The metric that is shown where there is room for one."""
    typical_loss: ClassVar[float]
    """Loss of a constant prediction that is assumed where no data is at hand."""
    uncertainty_factor: ClassVar[float]
    """Factor of ``exp(-s) L + s`` in uncertainty weighting: 1 for a cross-entropy, 1/2 for a squared error.

    Kendall, Gal and Cipolla, CVPR 2018.
    """
    contradiction: ClassVar[str] = "is not 0"
    """What :meth:`contradicts` found of a label, for messages."""

    @property
    def probability(self) -> bool:
        """Whether the score is the sigmoid of the logit, so that scores along ``given`` multiply to probabilities."""
        return "probability" in self.traits

    @property
    def binary_labels(self) -> bool:
        """Whether labels are 0 or 1."""
        return "binary_labels" in self.traits

    @property
    def can_condition(self) -> bool:
        """Whether other tasks may be ``given`` this one."""
        return self.binary_labels and self.probability

    @property
    @abstractmethod
    def expects(self) -> str:
        """What a label must be, for messages: ``a label in {0, 1}``."""

    @abstractmethod
    def allowed(self, labels: Floats) -> Mask:
        """Whether each finite number [N] may be a label [N]."""

    def contradicts(self, labels: Floats) -> Mask:
        """Whether each label [N] contradicts a label of 0 of the task that this one is ``given`` [N]."""
        return np.asarray(labels != 0)

    def label_weights(self, labels: Floats) -> Floats | None:
        """Factors [N] of the row weights by label [N]; ``None`` where all are 1."""
        del labels
        return None

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Why labels, ``known`` of them and ``nonzero`` of these not 0, teach nothing; ``None`` where they do."""
        del known, nonzero
        return None

    def divergence_advice(self, name: str) -> str | None:
        """What to try where large labels made training diverge; ``name`` is the task's."""
        del name
        return None

    def loss_weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """How many rows each label [B] counts as in the loss [B]; ``None`` where each counts once."""
        del labels
        return None

    @abstractmethod
    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Labels [B] and logits [B, K] to each row's loss [B], at least 0, before :meth:`loss_weights`."""

    @abstractmethod
    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits [B, K] to served scores [B]; where K is 1 a larger logit never scores lower."""

    @abstractmethod
    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """Labels [B] to numbers [B, M] whose means say what constant predictions cost."""

    @abstractmethod
    def constant_loss(self, means: Sequence[float]) -> float:
        """Loss of the best constant prediction, from the weighted means [M] of :meth:`moments`."""

    @abstractmethod
    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Loss where every logit is 0, from means [M].

        ``probability`` is what the funnel then predicts of a task that has the trait; other tasks do not read it.
        """

    @model_validator(mode="after")
    def _one_label(self) -> Self:
        if self.column is not None and self.label is not None:
            raise ValueError("name column or label, not both: label is a formula that takes the column's place")
        return self

    @model_validator(mode="after")
    def _conflicts_with_a_task(self) -> Self:
        if self.given_conflicts is not None and self.given is None:
            raise ValueError("given_conflicts says what to do with labels that contradict `given`; name that task too")
        return self

    def source(self, name: str) -> str:
        """The formula or the column of the label, for messages; ``name`` is the task's."""
        return f"formula {self.label!r}" if self.label is not None else f"column {self.column or name!r}"

    def outcomes(self, name: str) -> set[str]:
        """Columns that tell what happened by themselves: the label's and the mask; ``name`` is the task's."""
        return {name for name in (None if self.label else self.column or name, self.mask) if name is not None}

    def formulas(self) -> list[str]:
        """The formulas of the label and of the weight."""
        return [text for text in (self.label, self.weight) if text is not None]

    def label_columns(self, name: str) -> list[str]:
        """Columns that the label is read from, then the mask; ``name`` is the task's."""
        columns = [self.column or name] if self.label is None else [*formula(self.label).names]
        return [*columns, *([self.mask] if self.mask is not None else [])]


def cross_entropy(share: float, predicted: float) -> float:
    """Mean cross-entropy of a probability ``predicted`` where ``share`` of the labels are 1; 0 where both are sure."""
    if share in (0.0, 1.0) and predicted == share:
        return 0.0
    return float(-share * np.log(predicted) - (1.0 - share) * np.log1p(-predicted))


TASK_KINDS: Registry[type[Task]] = Registry("task kind")
