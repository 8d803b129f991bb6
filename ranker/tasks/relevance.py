"""Relevance tasks: graded labels of which only the order within a list is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.lazy_tensorflow import tf
from ranker.rank_losses import Softmax
from ranker.tasks.base import TASK_KINDS, Floats, Mask, RankLossChoice, Task, Trait, TreeTarget
from ranker.tasks.regression import Regression

HIGHEST = 30.0
"""Largest grade: exponential gains of more do not sum exactly in single precision."""

MOST_GRADES = 31
"""Most grades that trees tell apart."""


@TASK_KINDS.register("relevance")
class Relevance(Task):
    """A grade of at least 0, such as 0 to 4; null means unknown.

    A list loss alone learns it, so that the score, which is the logit, orders the candidates of a request and means
    nothing else: scores of two requests do not compare, and there is nothing to calibrate.
    """

    kind: Literal["relevance"]
    rank_loss: RankLossChoice | None = Field(
        Softmax.Options(), description="Loss over the rows of a list: softmax, lambdarank, ...; softmax by default."
    )

    traits: ClassVar[frozenset[Trait]] = frozenset({"grades", "order_only"})
    default_metric: ClassVar[str] = "graded_ndcg"
    typical_loss: ClassVar[float] = log(2)
    uncertainty_factor: ClassVar[float] = 1.0

    @property
    def list_share(self) -> float:
        """1: there is no other loss."""
        return 1.0

    @property
    def expects(self) -> str:
        """Allowed labels, for messages."""
        return f"a grade from 0 to {HIGHEST:g}"

    def allowed(self, labels: Floats) -> Mask:
        """Whether each number [N] is a grade; mask [N]."""
        return np.asarray((labels >= 0) & (labels <= HIGHEST))

    def tree_target(self, labels: Floats) -> TreeTarget:
        """LambdaRank of the labels [N], whatever the list loss is, with gains 2^label - 1 of at most 31 grades.

        LightGBM takes the number of each grade in ascending order; more grades are rounded to the nearest of as many
        quantiles.
        """
        distinct = np.unique(labels)
        if len(distinct) > MOST_GRADES:
            distinct = np.unique(np.quantile(distinct, np.linspace(0.0, 1.0, MOST_GRADES)))
        middles = (distinct[1:] + distinct[:-1]) / 2.0
        parameters = {"label_gain": (np.exp2(distinct) - 1.0).tolist(), "metric": "ndcg", "eval_at": [10]}
        return TreeTarget(
            "lambdarank", np.digitize(labels, middles).astype(float), parameters=parameters, of_lists=True
        )

    def nothing_to_learn(self, known: int, nonzero: int) -> str | None:
        """Reason if no row is relevant."""
        del known
        return None if nonzero else "no label is above 0"

    def losses(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """No loss of a row by itself: zeros [B] for labels [B] and logits [B, 1]."""
        return tf.zeros_like(labels) * logits[:, 0]

    def score(self, logits: tf.Tensor) -> tf.Tensor:
        """The logits [B, 1] as they are, [B]."""
        return logits[:, 0]

    def moments(self, labels: tf.Tensor) -> tf.Tensor:
        """The labels [B, 1]."""
        return labels[:, None]

    def constant_loss(self, means: Sequence[float]) -> float:
        """0: rows by themselves have no loss."""
        del means
        return 0.0

    def untrained_loss(self, means: Sequence[float], probability: float) -> float:
        """0: rows by themselves have no loss."""
        del means, probability
        return 0.0

    def taught(self) -> Regression:
        """A regression: a student learns the teacher's scores, which are numbers of any size."""
        return Regression(kind="regression")

    @model_validator(mode="after")
    def _list_loss_alone(self) -> Self:
        if self.rank_loss is None:
            raise ValueError("rank_loss: is all that this task learns by; leave it out for softmax, or name one")
        if self.rank_loss.weight not in (None, 1.0):
            raise ValueError(
                f"rank_loss.weight: must be 1, since a task of kind relevance has no other loss, got "
                f"{self.rank_loss.weight:g}"
            )
        return self
