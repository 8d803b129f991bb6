"""AUCs of several label columns from a score histogram: no sorting, and an error bound."""

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats
from ranker.metrics.row_classes import RowClasses

BINS = 32_768
SAMPLE = 4_096
MARGIN = 0.1
"""Fraction of the sample's range by which bins extend beyond either end."""

Rows: TypeAlias = slice | NDArray[np.intp]
Scored: TypeAlias = Callable[[Rows], Floats]
"""Maps selected rows to their scores in P rankings [P, n]."""


class BoundedAucs(NamedTuple):
    """AUCs [T] or [P, T] from histograms, and bounds on their errors."""

    values: Floats
    bounds: Floats


class BinnedAuc:
    """AUC of each of T label columns under scores [N], with scores rounded to bins.

    Bin counts per class of rows (:class:`RowClasses`) give all columns. Rows are processed by class, in ``order`` [N],
    so that the counts stay in a core's cache. A pair within a bin counts one half instead of 0 or 1, and every other
    pair is exact. So the error is at most half the fraction of positive-negative pairs that share a bin,
    ``sum_b P_b N_b / (2 P N)``, which each call returns with the values: about ``1 / (2 bins)`` if positives and
    negatives are spread evenly. The actual error is far smaller, since within a narrow bin positives are above
    negatives about as often as below.

    Bins have equal widths in the score or its logarithm, whichever spreads a sample of ``SAMPLE`` rows more evenly, and
    extend a ``MARGIN`` beyond the sample's range; scores outside fall into the first or last bin.

    Other arguments and errors are as in ``RowClasses.of``.
    """

    def __init__(
        self,
        labels: ArrayLike,
        known: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        bins: int = BINS,
        seed: int = 0,
    ) -> None:
        if bins < 2:
            raise ValueError(f"bins must be >= 2, got {bins}")
        self.classes = RowClasses.of(labels, known, weights)
        rows = len(self.classes.codes)
        self.order: NDArray[np.intp] = np.argsort(self.classes.codes, kind="stable")
        drawn = np.random.default_rng(seed).choice(rows, min(rows, SAMPLE), replace=False)
        self._sample: NDArray[np.intp] = np.sort(drawn)
        self.bins = bins
        self._bounds = [0, *np.cumsum(self.classes.rows).tolist()]
        self._own = threading.local()

    def __call__(self, scores: ArrayLike) -> BoundedAucs:
        """AUCs of finite scores [N]. Raises ``ValueError`` for another length."""
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != self.order.shape:
            raise ValueError(f"scores must be [{len(self.order)}], got shape {list(values.shape)}")
        ordered = values[self.order][None]
        bounded = self.of_rankings(lambda rows: ordered[:, rows], len(values))
        return BoundedAucs(bounded.values[0], bounded.bounds[0])

    def of_rankings(self, scored: Scored, block: int) -> BoundedAucs:
        """AUCs [P, T] of scores that are computed in blocks.

        ``scored`` is called on a sample of rows first, then on at most ``block`` rows at a time. Rows are positions in
        ``order``.
        """
        scales = [_spread(sample, self.bins) for sample in scored(self._sample)]
        counts = [_Counts(self.classes, self.bins) for _ in scales]
        cells = self._cells(len(scales))
        for of_class, (start, stop) in enumerate(pairwise(self._bounds)):
            for first in range(start, stop, block):
                last = min(first + block, stop)
                for place, ranking, own in zip(scales, scored(slice(first, last)), cells, strict=True):
                    place(ranking, own[first - start : last - start])
            for count, own in zip(counts, cells, strict=True):
                count.add(of_class, np.bincount(own[: stop - start], minlength=self.bins))
        aucs = [count.aucs() for count in counts]
        return BoundedAucs(np.array([each.values for each in aucs]), np.array([each.bounds for each in aucs]))

    def _cells(self, rankings: int) -> list[NDArray[np.int64]]:
        """Buffer of bins for the rows of a class, per ranking; thread-local and reused."""
        cells: list[NDArray[np.int64]] = self._own.__dict__.setdefault("cells", [])
        largest = int(self.classes.rows.max(initial=0))
        cells += [np.empty(largest, dtype=np.int64) for _ in range(rankings - len(cells))]
        return cells[:rankings]


class _Counts:
    """Positives and negatives per column and bin, for one ranking."""

    def __init__(self, classes: RowClasses, bins: int) -> None:
        self._classes = classes
        self._positives = np.zeros((classes.positive.shape[1], bins))
        # If all labels are known and rows count once, negatives are all rows minus positives.
        self._negatives = np.zeros((1, bins)) if classes.alike else np.zeros_like(self._positives)

    def add(self, of_class: int, counts: NDArray[np.intp]) -> None:
        """Add counts [bins] of the rows of a class."""
        _add(self._positives, self._classes.positive[of_class], counts)
        _add(self._negatives, np.ones(1) if self._classes.alike else self._classes.negative[of_class], counts)

    def aucs(self) -> BoundedAucs:
        """AUCs [T]."""
        positives, negatives = self._positives, self._negatives
        if self._classes.alike:
            negatives = negatives - positives  # integers, so the difference is exact
        below = np.cumsum(negatives, axis=1) - 0.5 * negatives
        pairs, undefined = self._classes.pairs, np.full(len(positives), np.nan)
        wins, shared = (positives * below).sum(axis=1), 0.5 * (positives * negatives).sum(axis=1)
        values = np.divide(wins, pairs, out=undefined.copy(), where=pairs > 0)
        return BoundedAucs(values, np.divide(shared, pairs, out=undefined, where=pairs > 0))


def _add(sums: Floats, weights: Floats, counts: NDArray[np.intp]) -> None:
    """Add counts [bins] times weights [T] to sums [T, bins]; without BLAS, as in ``checks.total``."""
    for column in np.flatnonzero(weights):
        sums[column] += counts if weights[column] == 1 else weights[column] * counts


class _Scale(NamedTuple):
    """``bins`` equal bins from ``first`` to ``last``, over scores or over their bits read as integers."""

    first: float
    last: float
    bins: int
    logarithmic: bool

    def __call__(self, scores: Floats, out: NDArray[np.int64]) -> None:
        """Write the bin of each score [n]."""
        # The bits of a positive double, read as an integer, are piecewise linear in its logarithm; those of 0 and of
        # negative scores are less than any positive score's, so they fall into the first bin.
        heights = scores.view(np.int64).astype(np.float64) if self.logarithmic else scores
        width = self.last - self.first
        place = (heights - self.first) * (self.bins / width if width > 0 else 0.0)
        np.clip(place, 0.0, self.bins - 1, out=place)
        np.copyto(out, place, casting="unsafe")

    def crowding(self, sample: Floats) -> float:
        """Sum of squared fractions of the sample in coarser bins; minimal if spread evenly."""
        cells = np.empty(len(sample), dtype=np.int64)
        self._replace(bins=min(self.bins, 256))(sample, cells)
        return float((np.bincount(cells) ** 2.0).sum())


def _spread(sample: Floats, bins: int) -> _Scale:
    """Choose the scale on which a sample is spread more evenly."""
    if not len(sample):
        return _Scale(0.0, 0.0, bins, logarithmic=False)
    ends = np.array([sample.min(), sample.max()])
    straight = _widened(ends, bins, logarithmic=False)
    if ends[0] <= 0:
        return straight
    logarithmic = _widened(ends.view(np.int64).astype(np.float64), bins, logarithmic=True)
    return min(straight, logarithmic, key=lambda scale: scale.crowding(sample))


def _widened(ends: Floats, bins: int, *, logarithmic: bool) -> _Scale:
    margin = MARGIN * float(ends[1] - ends[0])
    return _Scale(float(ends[0]) - margin, float(ends[1]) + margin, bins, logarithmic)
