"""The interface of a task kind: labels, loss, score and metrics of one objective.

Each kind is a file, registered in :data:`TASK_KINDS`. Configs and artifacts hold a task's fields. Methods on tensors
import TensorFlow when called, so that serving can read a schema without it.
"""

from __future__ import annotations

import operator
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PrivateAttr, model_validator

from ranker.config.closed import Closed, ColumnName, Formula, formula
from ranker.lazy_tensorflow import tf
from ranker.rank_losses import RANK_LOSSES, RankLoss, RankLossOptions
from ranker.registry import Registry
from ranker.task_state import TaskState

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]
GivenConflicts = Literal["drop", "mask", "keep"]
Trait: TypeAlias = Literal["binary_labels", "probability", "amount", "expected_value", "grades", "order_only"]
"""Property of a task that metrics and calibrations may require.

``binary_labels``: labels are 0 or 1. ``probability``: the score is the sigmoid of one logit, and the loss is the
cross-entropy of that probability. ``amount``: labels and scores are numbers in the same unit.
``expected_value``: the score estimates the expected label. ``grades``: labels say how relevant a row is, so that a list
loss may learn their order. ``order_only``: the score orders the rows of a list and means nothing else.
"""

if TYPE_CHECKING:
    RankLossChoice: TypeAlias = RankLossOptions
else:  # a union of all registered losses, so that a new one needs no change here
    _OPTIONS = reduce(operator.or_, (loss.Options for loss in RANK_LOSSES.values()))
    RankLossChoice = Annotated[
        Annotated[_OPTIONS, Field(discriminator="name")],
        BeforeValidator(lambda data: {"name": data} if isinstance(data, str) else data),
    ]


class TreeTarget(NamedTuple):
    """What boosted trees are fitted to, so that their sum is the task's logit.

    Attributes
    ----------
    objective
        LightGBM's name of the loss.
    labels
        The loss's labels [N].
    weights
        Factors of the rows' weights [N]; ``None`` if all are 1.
    parameters
        Further parameters of the loss.
    of_lists
        Whether the loss compares the rows of a list: those of equal keys, one after the other.
    """

    objective: str
    labels: Floats
    weights: Floats | None = None
    parameters: Mapping[str, float | str | list[float] | list[int]] = {}
    of_lists: bool = False


class Task(Closed):
    """Fields common to all task kinds, and the methods each kind defines."""

    column: ColumnName | None = Field(None, description="Column of the label; default: the task's name.")
    label: Formula | None = Field(
        None, description="Formula of columns for the label, instead of column: click * (watch > 10)."
    )
    mask: ColumnName | None = Field(None, description="0/1 column: where it is 0, the label is unknown.")
    given: str | None = Field(
        None, description="Another task, binary; this task's label exists only where that task's label is 1."
    )
    given_conflicts: GivenConflicts | None = Field(
        None,
        description="Rows whose label is not 0 although the label of `given` is 0. drop: drop them for all tasks; "
        "mask: treat this label as unknown; keep: treat it as 0. By default more than 1 % of such rows is an error.",
    )
    weight: Formula | None = Field(
        None, description="Formula of columns: weight of each row in this task's training loss, at least 0."
    )
    rank_loss: RankLossChoice | None = Field(
        None,
        description="Loss over the rows of a list, beside the task's own: softmax, lambdarank, ... None by default.",
    )
    kind: str
    """The name in ``TASK_KINDS``; each kind narrows it to a ``Literal`` of that name."""

    traits: ClassVar[frozenset[Trait]]
    default_metric: ClassVar[str]
    """Metric shown where there is room for only one."""
    typical_loss: ClassVar[float]
    """Assumed loss of a constant prediction if no data is available."""
    uncertainty_factor: ClassVar[float]
    """Factor of ``exp(-s) L + s`` in uncertainty weighting: 1 for a cross-entropy, 1/2 for a squared error.

    Kendall, Gal and Cipolla, CVPR 2018.
    """
    contradiction: ClassVar[str] = "is not 0"
    """Describes a label for which :meth:`contradicts` holds, for messages."""

    is_fitted: ClassVar[bool] = False
    """Whether the kind is fitted on the labels of the training rows, by :meth:`fit`, before losses and scores exist."""
    _state: TaskState | None = PrivateAttr(None)

    @property
    def reads(self) -> str | None:
        """Numeric feature whose packed number is appended to the logits, as a further column, if the kind needs one."""
        return None

    def fit(self, labels: Floats, numbers: Floats, weights: Floats) -> TaskState:
        """State of a kind with ``is_fitted``.

        Parameters
        ----------
        labels, weights
            Labels [N] of training rows and their weights in the loss [N], > 0. N is 0 if no label is known.
        numbers
            Packed numbers [N] of the feature that the kind :attr:`reads`; 0 if it reads none.
        """
        raise NotImplementedError(f"tasks of kind {self.kind} are not fitted")

    def with_state(self, state: TaskState) -> Self:
        """The task with the state that losses and scores use."""
        fitted = self.model_copy()
        fitted._state = state
        return fitted

    @property
    def state(self) -> Mapping[str, NDArray[Any]]:
        """Arrays of the state. Raises ``ValueError`` if the task has none."""
        if self._state is None:
            raise ValueError(f"a task of kind {self.kind} must be fitted first: task.with_state(task.fit(...))")
        return self._state.arrays

    @property
    def logits(self) -> int:
        """Number of model outputs of the task, K; each is a head, of which all but the first are extra heads."""
        return 1

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
    def list_share(self) -> float:
        """Share of the list loss in the task's loss; 0 without a list loss."""
        if self.rank_loss is None:
            return 0.0
        return self.rank_loss.weight or 0.5

    def list_loss(self) -> RankLoss | None:
        """The list loss; ``None`` without one."""
        return None if self.rank_loss is None else RANK_LOSSES[self.rank_loss.name](self.rank_loss)

    @property
    @abstractmethod
    def expects(self) -> str:
        """Allowed labels, for messages: ``a label in {0, 1}``."""

    @abstractmethod
    def allowed(self, labels: Floats) -> Mask:
        """Whether each finite number [N] is an allowed label; mask [N]."""

    def outcome(self, labels: Any) -> Any:
        """What the score estimates of rows with these labels [N], an array or a tensor; by default the label itself."""
        return labels

    def contradicts(self, labels: Floats) -> Mask:
        """Whether each label [N] contradicts a 0 label of the ``given`` task; mask [N]."""
        return np.asarray(labels != 0)

    def label_weights(self, labels: Floats) -> Floats | None:
        """Row weight factors [N] by label [N]; ``None`` if all are 1."""
        del labels
        return None

    def tree_target(self, labels: Floats) -> TreeTarget | None:
        """Target of boosted trees for labels [N], which may be any number if unknown; ``None``: no trees fit it."""
        del labels
        return None

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Reason why ``known`` labels, ``nonzero`` of them not 0, cannot be learnt from; ``None`` if they can."""
        del known, nonzero
        return None

    def divergence_advice(self, name: str) -> str | None:
        """Advice if large labels made training diverge; ``name`` is the task's name."""
        del name
        return None

    def loss_weights(self, labels: tf.Tensor) -> tf.Tensor | None:
        """Number of rows [B] that each label [B] counts as in the loss; ``None`` if each counts once."""
        del labels
        return None

    @abstractmethod
    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Per-row losses [B], at least 0, of labels [B] and logits [B, K], before :meth:`loss_weights`."""

    @abstractmethod
    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """Map logits [B, K] to served scores [B]; for K = 1, monotonically."""

    def grades(self, labels: tf.Tensor) -> tf.Tensor:
        """How relevant rows are [B], at least 0, from labels [B] of a task with trait ``grades``."""
        return labels

    def list_logit(self, logits: tf.Tensor) -> tf.Tensor:
        """The number [B] whose order a list loss learns, from logits [B, K]; it increases with the score."""
        return logits[:, 0]

    @abstractmethod
    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """Statistics [B, M] of labels [B] whose means give the loss of constant predictions."""

    @abstractmethod
    def constant_loss(self, means: Sequence[float]) -> float:
        """Loss of the best constant prediction, from the weighted means [M] of :meth:`moments`."""

    @abstractmethod
    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """Loss if all logits are 0, from means [M].

        ``probability`` is the funnel's prediction for a task with trait ``probability``; other tasks ignore it.
        """

    def taught(self) -> Task:
        """The task of a student, whose labels are another model's scores of every row.

        They are expected labels, also of a task with ``given``, so each row counts once.
        """
        none = ("given", "given_conflicts", "mask", "weight", "label", "column", "rank_loss")
        return self.model_copy(update=dict.fromkeys(none))

    @model_validator(mode="after")
    def _one_label(self) -> Self:
        if self.column is not None and self.label is not None:
            raise ValueError("set column or label, not both: label is a formula that replaces the column")
        return self

    @model_validator(mode="after")
    def _conflicts_with_a_task(self) -> Self:
        if self.given_conflicts is not None and self.given is None:
            raise ValueError("given_conflicts handles labels that contradict `given`; set given as well")
        return self

    @model_validator(mode="after")
    def _conditional_score(self) -> Self:
        if self.given is not None and "order_only" in self.traits:
            raise ValueError(
                f"given: multiplies the score by the probability of {self.given!r}, and a score of kind {self.kind} is "
                "no amount; leave given out, and let the label be 0 where the condition fails, or null"
            )
        return self

    @model_validator(mode="after")
    def _fits_list_loss(self) -> Self:
        loss = self.list_loss()
        if loss is not None and "grades" not in self.traits:
            raise ValueError(
                f"rank_loss: needs labels that say how relevant a row is, and those of kind {self.kind} do not; use a "
                "task of kind relevance with the same label beside this one"
            )
        if loss is not None and loss.binary and not self.binary_labels:
            raise ValueError(f"rank_loss: {loss.options.name} is for labels of 0 and 1, not for kind {self.kind}")
        return self

    def source(self, name: str) -> str:
        """Describe the formula or column of the label, for messages; ``name`` is the task's name."""
        return f"formula {self.label!r}" if self.label is not None else f"column {self.column or name!r}"

    def outcomes(self, name: str) -> set[str]:
        """Outcome columns: the label's and the mask's; ``name`` is the task's name."""
        return {name for name in (None if self.label else self.column or name, self.mask) if name is not None}

    def formulas(self) -> list[str]:
        """Formulas of the label and the weight."""
        return [text for text in (self.label, self.weight) if text is not None]

    def label_columns(self, name: str) -> list[str]:
        """Columns of the label, then the mask; ``name`` is the task's name."""
        columns = [self.column or name] if self.label is None else [*formula(self.label).names]
        return [*columns, *([self.mask] if self.mask is not None else [])]


def cross_entropy(share: float, predicted: float) -> float:
    """Mean cross-entropy of the constant ``predicted`` if a fraction ``share`` of labels is 1; 0 log 0 counts as 0."""
    if share in (0.0, 1.0) and predicted == share:
        return 0.0
    return float(-share * np.log(predicted) - (1.0 - share) * np.log1p(-predicted))


def exact_sigmoid(logits: tf.Tensor) -> tf.Tensor:
    """Sigmoids of any shape with a small relative error, also near 0, as factors of large amounts need.

    Engines compute the plain sigmoid with an absolute error of 1e-7.
    """
    return tf.exp(tf.math.log_sigmoid(logits))


TASK_KINDS: Registry[type[Task]] = Registry("task kind")
