"""The interface of a loss over the lists of a batch.

A list is what was shown at once, such as a request's impressions. A list loss compares its rows with one another: it
depends on the differences of their logits only, and so learns an order, not probabilities.
"""

from __future__ import annotations

from math import log
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from ranker import replicas
from ranker.config.closed import Closed, ColumnName
from ranker.lazy_tensorflow import tf
from ranker.rank_losses.lists import Lists
from ranker.registry import Registry


class RankLossOptions(Closed):
    """Base options of a list loss; each adds its ``name`` and parameters."""

    name: str
    group: ColumnName | None = Field(
        None,
        description="Column whose equal values are one list, such as request_id; default: evaluation.group_by. It is "
        "the same for all tasks. Rows without a value are in no list.",
    )
    weight: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Share of the list loss in the task's loss; the rest is the task's own. Default: 0.5, or 1 for a "
        "task of kind relevance, which has no other.",
    )


class GainOptions(RankLossOptions):
    """Base options of losses that count gains."""

    gain: Literal["exponential", "linear"] = Field(
        "exponential", description="Gain of a grade y: 2^y - 1, or y; the same for labels of 0 and 1."
    )

    def gains(self, grades: tf.Tensor) -> tf.Tensor:
        """Gains [R] of grades [R]."""
        return grades if self.gain == "linear" else tf.pow(2.0, grades) - 1.0


class Rows(NamedTuple):
    """R rows of a batch whose label counts and whose list is known."""

    lists: Lists
    logits: tf.Tensor
    """Logits [R] that order the rows of a list."""
    grades: tf.Tensor
    """How relevant each row is [R], at least 0."""
    weights: tf.Tensor
    """Weights of the rows [R], above 0."""
    extra: tf.Tensor | None
    """Outputs [R] of the loss's further head, if it has one."""


class RankLoss:
    """Base of the list losses, whose options are ``options``."""

    Options: ClassVar[type[RankLossOptions]]
    binary: ClassVar[bool] = False
    """Whether it is defined for labels of 0 and 1 only."""
    extra_head: ClassVar[str | None] = None
    """What the further head of the task estimates, which is trained and never served; ``None`` without one."""

    def __init__(self, options: Any) -> None:
        self.options = options

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Loss of each list [G], at least 0, and how much it counts [G]; 0 for lists with nothing to learn from."""
        raise NotImplementedError

    def loss(
        self, keys: tf.Tensor, logits: tf.Tensor, grades: tf.Tensor, weights: tf.Tensor, extra: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Mean loss of the lists of B rows, a scalar; 0 if no list counts. On several replicas, their share of it.

        ``keys`` [B] name the lists; rows of key 0 are in none. ``logits``, ``grades``, ``weights`` and ``extra`` are
        [B]; rows of weight 0 are left out.
        """
        counted = (weights > 0) & (keys != 0)

        def kept(values: tf.Tensor) -> tf.Tensor:
            return tf.boolean_mask(values, counted)

        further = None if extra is None else kept(extra)
        rows = Rows(Lists(kept(keys)), kept(logits), kept(grades), kept(weights), further)
        values, counts = self.of_lists(rows)
        return tf.math.divide_no_nan(tf.reduce_sum(values * counts), replicas.total(tf.reduce_sum(counts)))


def list_weights(rows: Rows) -> tf.Tensor:
    """Mean weight of the rows of each list [G], 0 where all grades are equal: there is no order to learn."""
    sizes = tf.cast(rows.lists.sizes(), rows.weights.dtype)
    return rows.lists.sum(rows.weights) / sizes * rows.lists.differ(rows.grades)


class Preferences(NamedTuple):
    """The P pairs of a list's rows of which the first has the higher grade."""

    better: tf.Tensor
    """Index of the row with the higher grade [P]."""
    worse: tf.Tensor
    """Index of the row with the lower grade [P]."""
    losses: tf.Tensor
    """``log(1 + exp(-(difference of their logits)))`` [P]."""
    weights: tf.Tensor
    """Weight of the row with the higher grade [P]."""

    def by_list(self, rows: Rows, values: tf.Tensor) -> tf.Tensor:
        """Sums [G] of values [P] by list."""
        return tf.math.unsorted_segment_sum(values, tf.gather(rows.lists.codes, self.better), rows.lists.count)


def preferences(rows: Rows, pairs: tuple[tf.Tensor, tf.Tensor] | None = None) -> Preferences:
    """The pairs of rows with different grades; ``pairs`` are those of the lists, if known."""
    first, second = rows.lists.pairs() if pairs is None else pairs
    preferred = tf.gather(rows.grades, first) > tf.gather(rows.grades, second)
    better, worse = tf.boolean_mask(first, preferred), tf.boolean_mask(second, preferred)
    losses = tf.math.softplus(tf.gather(rows.logits, worse) - tf.gather(rows.logits, better))
    return Preferences(better, worse, losses, tf.gather(rows.weights, better))


def discount(ranks: tf.Tensor) -> tf.Tensor:
    """NDCG's discounts [R] of ranks [R], from 1: ``1 / log2(1 + rank)``."""
    return log(2) / tf.math.log1p(ranks)


def ideal_dcg(rows: Rows, gains: tf.Tensor, pairs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """Highest DCG of each list [G] with gains [R]; ``pairs`` are those of the lists."""
    return rows.lists.sum(gains * discount(rows.lists.ranks(gains, pairs)))


RANK_LOSSES: Registry[type[RankLoss]] = Registry("rank loss")
