"""Metrics of rankings within lists: prepared once for a column, then measured on any number of rankings of its rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.auc import auc_statistic
from ranker.metrics.base import Measured
from ranker.metrics.checks import Floats, Statistic
from ranker.metrics.diversity import Items, coverage, intra_list_distance
from ranker.metrics.grouped import Groups, Ranking
from ranker.tasks import Trait

OfLists: TypeAlias = Callable[[Ranking], Floats]
"""Maps a ranking to a metric of each list [G]; NaN where undefined."""


class Relevance(NamedTuple):
    """What the rows of a ranking are worth.

    Attributes
    ----------
    values
        Labels or gains [N]; 0 where unknown. Of a metric of items, zeros.
    known
        Whether each is known [N]. AUC and GAUC leave unknown rows out; for other metrics they are worth 0.
    items
        What the rows show, for a metric of items.
    """

    values: Floats
    known: NDArray[np.bool_]
    items: Items | None = None

    @classmethod
    def of_items(cls, column: NDArray[Any]) -> "Relevance":
        """What the rows show by raw values [N] or [N, W]."""
        return cls(np.zeros(len(column)), np.ones(len(column), dtype=bool), Items.of(column))


@dataclass(frozen=True)
class RankingMetric:
    """A metric of a ranking against a column, of which more is better.

    Attributes
    ----------
    name
        Name in configs and on command lines, such as ``ndcg`` of ``click.ndcg@10``.
    title
        Unique display name.
    needs
        Traits that a task must have; without any, the metric also accepts other columns of the log.
    of_lists
        Prepares the metric of each list, from the lists of the rows, their relevance, and the cutoff k; ``None`` for a
        metric over all rows.
    cutoff
        Whether a name has a cutoff k, as in ``ndcg@10``.
    by_rows
        Whether the mean over lists is weighted by their rows with a known label.
    of_items
        Whether it measures which items are shown, by a column that is no task's, instead of what they are worth.
    over_lists
        Prepares a metric over all lists together: as a function of list weights [G].
    """

    name: str
    title: str
    needs: frozenset[Trait]
    of_lists: Callable[[Groups, Relevance, int | None], OfLists] | None
    cutoff: Literal["none", "optional", "required"] = "none"
    by_rows: bool = False
    of_items: bool = False
    over_lists: Callable[[Groups, Relevance, int | None], Callable[[Ranking], Statistic]] | None = None

    def fits(self, traits: frozenset[Trait] | None) -> bool:
        """Whether it applies to a task with these traits, or with ``None`` to a column that is no task's."""
        if self.of_items:
            return traits is None
        return self.needs <= (traits or frozenset())

    def prepared(self, groups: Groups, relevance: Relevance, k: int | None = None) -> "PreparedMetric":
        """Prepare the metric for N rows. Raises ``ValueError`` for a ``k`` below 1 and for a negative gain."""
        if k is not None and k < 1:
            raise ValueError(f"k must be >= 1, got {k}")
        weights = _sums(groups, relevance.known.astype(np.float64)) if self.by_rows else np.ones(groups.count)
        of_lists = None if self.of_lists is None else self.of_lists(groups, relevance, k)
        over_lists = None if self.over_lists is None else self.over_lists(groups, relevance, k)
        return PreparedMetric(groups.codes, relevance, weights, of_lists, over_lists)


@dataclass(frozen=True, eq=False)
class PreparedMetric:
    """A metric of N rows in G lists; made by ``RankingMetric.prepared``."""

    codes: NDArray[np.intp]
    relevance: Relevance
    weights: Floats
    of_lists: OfLists | None
    over_lists: Callable[[Ranking], Statistic] | None = None

    def measured(self, scores: Floats, ranking: Ranking | None) -> Measured:
        """The metric of a ranking as a function of list weights [G], with the number of ``lists`` that define it.

        ``ranking`` is that of the scores [N] within the lists; a metric over all rows needs none.
        """
        if self.over_lists is not None:
            assert ranking is not None, "a metric over lists needs their ranking"
            return Measured(self.over_lists(ranking), len(self.weights), {"lists": len(self.weights)})
        if self.of_lists is None:
            return self._of_rows(scores)
        assert ranking is not None, "a metric within lists needs their ranking"
        values = self.of_lists(ranking)
        lists = int((~np.isnan(values) & (self.weights > 0)).sum())
        return Measured(lambda counts: mean(values, self.weights * counts), len(values), {"lists": lists})

    def _of_rows(self, scores: Floats) -> Measured:
        values, known = self.relevance.values, self.relevance.known
        statistic, codes = auc_statistic(values[known], scores[known]), self.codes[known]
        lists = len(np.unique(codes))
        return Measured(lambda counts: statistic(counts[codes]), len(self.weights), {"lists": lists})


def mean(values: Floats, weights: Floats) -> float:
    """Weighted mean of the values [G] that are not NaN; NaN if there are none."""
    known = ~np.isnan(values)
    total = weights[known].sum()
    return float((values[known] * weights[known]).sum() / total) if total > 0 else float("nan")


def auc_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """AUC of each list over its rows with a known label; undefined without both classes."""
    del groups, k
    positive, negative = relevance.values * relevance.known, (1.0 - relevance.values) * relevance.known
    return lambda ranking: ranking.aucs(positive, negative)


def ndcg_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """NDCG@k with linear gains; undefined without a gain. Raises ``ValueError`` for a negative gain."""
    gains = relevance.values
    if gains.min(initial=0.0) < 0:
        raise ValueError(f"gains must be >= 0, got {gains.min():g}")
    ideal = groups.ranking(gains).dcg(gains, k)
    return lambda ranking: _over(ranking.dcg(gains, k), ideal)


def map_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """Average precision at k; undefined without a positive."""
    del groups
    assert k is not None
    return lambda ranking: ranking.average_precision(relevance.values, k)


def reciprocal_rank_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """1 / rank of the first positive, 0 if it is beyond k; undefined without a positive."""
    positives = _sums(groups, relevance.values)
    return lambda ranking: np.where(
        positives > 0, ranking.of_first(relevance.values, lambda rank: 1.0 / (rank.astype(np.float64) + 1.0), k), np.nan
    )


def hit_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """1 if a positive is in the first k ranks, else 0; undefined without a positive."""
    positives = _sums(groups, relevance.values)
    return lambda ranking: np.where(
        positives > 0, ranking.of_first(relevance.values, lambda rank: np.ones(len(rank)), k), np.nan
    )


def recall_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """Share of the positives in the first k ranks; undefined without a positive."""
    assert k is not None
    positives = _sums(groups, relevance.values)
    return lambda ranking: _over(ranking.total(relevance.values, k), positives)


def precision_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """Positives in the first k ranks, divided by k; undefined without a positive."""
    assert k is not None
    positives = _sums(groups, relevance.values)
    return lambda ranking: np.where(positives > 0, ranking.total(relevance.values, k) / k, np.nan)


def mean_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """Mean of the values of the first k rows, or of all rows of a shorter list."""
    del groups
    assert k is not None
    return lambda ranking: ranking.mean(relevance.values, k)


def intra_list_distance_of_lists(groups: Groups, relevance: Relevance, k: int | None) -> OfLists:
    """Mean distance between the pairs of the first k rows; undefined for a list of one row."""
    assert k is not None
    assert relevance.items is not None, "a metric of items"
    return intra_list_distance(groups, relevance.items, k)


def coverage_over_lists(groups: Groups, relevance: Relevance, k: int | None) -> Callable[[Ranking], Statistic]:
    """Share of all distinct values that the first k rows of any list show."""
    assert k is not None
    assert relevance.items is not None, "a metric of items"
    return coverage(groups, relevance.items, k)


def _sums(groups: Groups, values: Floats) -> Floats:
    """Sum of the values [N] of each list [G]."""
    return np.bincount(groups.codes, values, groups.count).astype(np.float64)


def _over(values: Floats, ideal: Floats) -> Floats:
    """``values / ideal`` [G]; NaN where the ideal is 0."""
    return np.asarray(np.divide(values, ideal, out=np.full(len(ideal), np.nan), where=ideal > 0))
