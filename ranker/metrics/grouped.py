"""Rankings of many groups at once: one ordering for all grouped metrics of all label columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_groups, run_starts

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Ranking:
    """N rows ordered by group and, within a group, by descending score.

    Attributes
    ----------
    order
        Row at each position [N].
    starts
        First position of each group [G].
    ties
        First position of each run of equal scores within a group.
    """

    order: Places
    starts: Places
    ties: Places

    @property
    def _group_runs(self) -> Places:
        """Index of the first run of each group [G]."""
        return np.asarray(np.searchsorted(self.ties, self.starts))

    def first(self, k: int) -> Places:
        """The first k rows of each group [G, k], at most as many as the largest has, then -1."""
        sizes = self._sizes()
        place = np.arange(min(k, int(sizes.max(initial=0))))
        held = place < sizes[:, None]
        return np.where(held, self.order[np.where(held, self.starts[:, None] + place, 0)], -1)

    def aucs(self, positive: Floats, negative: Floats) -> Floats:
        """AUC of each group [G], NaN without a pair, from positive and negative weights [N]."""
        positives, negatives = (np.add.reduceat(side[self.order], self.ties) for side in (positive, negative))
        runs = self._group_runs
        wide = np.diff(runs, append=len(self.ties))
        all_positives, all_negatives = np.add.reduceat(positives, runs), np.add.reduceat(negatives, runs)
        through = np.cumsum(negatives)  # cumulative up to and including each run, over all groups
        before = np.cumsum(all_negatives) - all_negatives
        below = np.repeat(before + all_negatives, wide) - through + 0.5 * negatives
        wins, pairs = np.add.reduceat(positives * below, runs), all_positives * all_negatives
        return np.asarray(np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))

    def dcg(self, gains: Floats, k: int | None = None) -> Floats:
        """DCG@k of each group [G], from gains [N]; ties share their mean gain."""
        rank = self._ranks()
        discounts = 1.0 / np.log2(2.0 + rank)
        return self._shared(gains, discounts if k is None else np.where(rank < k, discounts, 0.0))

    def total(self, values: Floats, k: int) -> Floats:
        """Sum of the values [N] of the first k rows of each group [G]; ties share their mean."""
        return self._shared(values, (self._ranks() < k).astype(np.float64))

    def mean(self, values: Floats, k: int) -> Floats:
        """Mean of the values [N] of the first k rows (or all if fewer) of each group [G]; ties share their mean."""
        return self.total(values, k) / np.minimum(self._sizes(), k)

    def of_first(self, positive: Floats, value: Callable[[Places], Floats], k: int | None = None) -> Floats:
        """Value of the rank of each group's first positive [G], from labels in {0, 1} [N].

        ``value`` maps ranks from 0 to values; those of ranks from ``k`` on, and of groups without a positive, are 0.
        Ties are averaged over all orders: of the ``n! / (p! (n-p)!)`` ways to place p positives in a run of n rows,
        ``(n-1-j)! / ((p-1)! (n-p-j)!)`` have the first one at place j, from 0.
        """
        rank, runs = self._ranks(), np.diff(self.ties, append=len(self.order))
        inside, above = self._positives(positive[self.order])
        first = (inside > 0) & (above == 0)
        n, p = np.repeat(runs, runs), np.repeat(np.where(first, inside, 0).astype(np.intp), runs)
        place = np.arange(len(n)) - np.repeat(self.ties, runs)
        possible = (p > 0) & (n - place >= p)
        n, p, j = n[possible], p[possible], place[possible]
        logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, runs.max() + 1)))])  # of factorials
        share = np.zeros(len(rank))
        share[possible] = np.exp(logs[n - 1 - j] - logs[p - 1] - logs[n - p - j] - logs[n] + logs[p] + logs[n - p])
        values = value(rank) if k is None else np.where(rank < k, value(rank), 0.0)
        return np.add.reduceat(share * values, self.starts)

    def average_precision(self, positive: Floats, k: int) -> Floats:
        """Average precision at k of each group [G], NaN without positives, from labels in {0, 1} [N].

        The sum of precision at each positive in the first k ranks, divided by min(k, positives). Ties are averaged over
        all orders: in a run of n rows with p positives, c positives above it and ranks from s + 1, rank s + j adds
        ``p/n (c + 1 + (j-1)(p-1)/(n-1)) / (s + j)``.
        """
        labels, rank = positive[self.order], self._ranks()
        runs = np.diff(self.ties, append=len(labels))
        inside, before = self._positives(labels)
        groups = np.add.reduceat(inside, self._group_runs)
        above = np.repeat(before, runs)
        share, each = np.repeat(inside / runs, runs), np.repeat(runs, runs)
        place = np.arange(len(labels)) - np.repeat(self.ties, runs)
        others = place * (np.repeat(inside, runs) - 1.0) / np.maximum(each - 1, 1)
        precision = np.where(rank < k, share * (above + 1.0 + others) / (rank + 1.0), 0.0)
        total = np.add.reduceat(precision, self.starts)
        undefined = np.full(len(groups), np.nan)
        return np.asarray(np.divide(total, np.minimum(groups, k), out=undefined, where=groups > 0))

    def _positives(self, labels: Floats) -> tuple[Floats, Floats]:
        """Positives in each run of ties, and above it in its group, from labels in ranked order [N]."""
        inside = np.add.reduceat(labels, self.ties)
        before = np.cumsum(inside) - inside  # cumulative over all groups
        return inside, before - np.repeat(before[self._group_runs], np.diff(self._group_runs, append=len(inside)))

    def _sizes(self) -> Places:
        return np.diff(self.starts, append=len(self.order))

    def _ranks(self) -> Places:
        return np.arange(len(self.order)) - np.repeat(self.starts, self._sizes())

    def _shared(self, values: Floats, discounts: Floats) -> Floats:
        """Sum of discount times value per group, where each row has the mean value of its run of ties."""
        runs = np.diff(self.ties, append=len(self.order))
        means = np.add.reduceat(values[self.order], self.ties) / runs
        return np.add.reduceat(means * np.add.reduceat(discounts, self.ties), self._group_runs)


class Groups:
    """N rows in G groups, prepared once for ranking by any number of scores.

    Groups of similar size form a matrix whose rows are sorted in one call, without a group key.

    Parameters
    ----------
    keys
        Group key of each row [N]: integers, strings, or other keys of one sortable type. Raises ``ValueError`` for
        other keys, and if there are no rows.
    """

    def __init__(self, keys: ArrayLike) -> None:
        codes = checked_groups(keys, len(np.asarray(keys)))
        if not len(codes):
            raise ValueError("groups must have rows, got none")
        self.codes = codes
        self.sizes: Places = np.bincount(codes)
        self._rows = np.argsort(codes, kind="stable")
        self._starts = np.cumsum(self.sizes) - self.sizes
        self._matrices = [self._matrix(width) for width in _widths(self.sizes)]

    @property
    def count(self) -> int:
        """Number of groups G; groups are in sorted key order."""
        return len(self.sizes)

    def ranking(self, scores: Floats) -> Ranking:
        """Order finite scores [N] within each group."""
        padded = np.append(-scores, np.inf)  # padding sorts last
        order = np.empty(len(scores), dtype=np.intp)
        for rows, filled, places in self._matrices:
            ranked = np.argsort(padded[rows], axis=1)
            order[places] = np.take_along_axis(rows, ranked, axis=1)[filled]
        return Ranking(order, self._starts, run_starts(self.codes[order], scores[order]))

    def _matrix(self, width: tuple[int, int]) -> tuple[Places, NDArray[np.bool_], Places]:
        """For groups with a size in ``width``: rows [g, most], mask of non-padding, and their positions."""
        chosen = np.flatnonzero((self.sizes >= width[0]) & (self.sizes <= width[1]))
        most = int(self.sizes[chosen].max())
        column = np.arange(most)
        filled = column < self.sizes[chosen][:, None]
        places = self._starts[chosen][:, None] + column
        rows = np.full(filled.shape, len(self.codes))
        rows[filled] = self._rows[places[filled]]
        return rows, filled, places[filled]


def _widths(sizes: Places) -> list[tuple[int, int]]:
    """Non-empty ranges of group sizes between powers of 2."""
    powers = np.unique(np.frexp(sizes.astype(np.float64))[1])
    return [(1 << (int(power) - 1), (1 << int(power)) - 1) for power in powers]
