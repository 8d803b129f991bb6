"""AUCs of several label columns from one histogram of the scores: no ordering at all, and a bound on the error."""

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
"""By how much of the sample's width the bins go on beyond either end of it."""

Rows: TypeAlias = slice | NDArray[np.intp]
Scored: TypeAlias = Callable[[Rows], Floats]
"""Some of the rows to their scores in P rankings [P, n]."""


class BoundedAucs(NamedTuple):
    """AUCs [T] or [P, T] of histograms, and how far each may be from the exact one."""

    values: Floats
    bounds: Floats


class BinnedAuc:
    """AUC of each of T label columns under scores [N], of scores rounded to bins.

    Counts of bins for each class of rows (:class:`RowClasses`) hold all columns. Rows are taken class by class, in
    ``order`` [N], so that what is counted into stays in a core's own cache. A pair in one bin counts one half, where
    it may have counted 0 or 1, and every other pair counts as it is. So the error is at most half of the share of the
    pairs of a positive and a negative that share a bin, ``sum_b P_b N_b / (2 P N)``, which each call returns with the
    values: about ``1 / (2 bins)`` where positives and negatives spread evenly. What remains in practice is far less,
    because within a narrow bin positives stand above negatives about as often as below.

    Bins have equal widths, by the score or by its logarithm, whichever spreads a sample of ``SAMPLE`` rows more evenly,
    from a ``MARGIN`` below the sample to one above it; what lies beyond falls into the first and the last bin.

    Other arguments and errors are those of ``RowClasses.of``.
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
        found = self.of_rankings(lambda rows: ordered[:, rows], len(values))
        return BoundedAucs(found.values[0], found.bounds[0])

    def of_rankings(self, scored: Scored, block: int) -> BoundedAucs:
        """AUCs [P, T] of scores that are never in memory at once.

        ``scored`` is asked for a sample of the rows first, then for at most ``block`` rows at a time. It knows them by
        their places in ``order``.
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
        found = [count.aucs() for count in counts]
        return BoundedAucs(np.array([each.values for each in found]), np.array([each.bounds for each in found]))

    def _cells(self, rankings: int) -> list[NDArray[np.int64]]:
        """A bin for each row of a class, and for each ranking; a thread's own, kept for its next rankings."""
        kept: list[NDArray[np.int64]] = self._own.__dict__.setdefault("cells", [])
        largest = int(self.classes.rows.max(initial=0))
        kept += [np.empty(largest, dtype=np.int64) for _ in range(rankings - len(kept))]
        return kept[:rankings]


class _Counts:
    """Positives and negatives of each column in each bin, of one ranking."""

    def __init__(self, classes: RowClasses, bins: int) -> None:
        self._classes = classes
        self._positives = np.zeros((classes.positive.shape[1], bins))
        # Where each row is a positive or a negative of each column, negatives are what is left of all rows.
        self._negatives = np.zeros((1, bins)) if classes.alike else np.zeros_like(self._positives)

    def add(self, of_class: int, counts: NDArray[np.intp]) -> None:
        """Rows of a class in each bin [bins]."""
        _add(self._positives, self._classes.positive[of_class], counts)
        _add(self._negatives, np.ones(1) if self._classes.alike else self._classes.negative[of_class], counts)

    def aucs(self) -> BoundedAucs:
        """AUCs [T]."""
        positives, negatives = self._positives, self._negatives
        if self._classes.alike:
            negatives = negatives - positives  # of whole numbers, so that the difference is exact
        below = np.cumsum(negatives, axis=1) - 0.5 * negatives
        pairs, undefined = self._classes.pairs, np.full(len(positives), np.nan)
        wins, shared = (positives * below).sum(axis=1), 0.5 * (positives * negatives).sum(axis=1)
        values = np.divide(wins, pairs, out=undefined.copy(), where=pairs > 0)
        return BoundedAucs(values, np.divide(shared, pairs, out=undefined, where=pairs > 0))


def _add(sums: Floats, weights: Floats, counts: NDArray[np.intp]) -> None:
    """Add counts [bins] by weights [T] to sums [T, bins]; not by BLAS, as in ``checks.total``."""
    for column in np.flatnonzero(weights):
        sums[column] += counts if weights[column] == 1 else weights[column] * counts


class _Scale(NamedTuple):
    """``first`` to ``last`` in ``bins`` equal parts, of scores or of the integers that their bits are."""

    first: float
    last: float
    bins: int
    logarithmic: bool

    def __call__(self, scores: Floats, out: NDArray[np.int64]) -> None:
        """Write the bin of each score [n]."""
        # A positive double's bits, read as an integer, are its logarithm in straight pieces between powers of 2; those
        # of 0 and of negative scores are less than any positive one's, so they fall into the first bin.
        heights = scores.view(np.int64).astype(np.float64) if self.logarithmic else scores
        width = self.last - self.first
        place = (heights - self.first) * (self.bins / width if width > 0 else 0.0)
        np.clip(place, 0.0, self.bins - 1, out=place)
        np.copyto(out, place, casting="unsafe")

    def crowding(self, sample: Floats) -> float:
        """Sum of the squared shares of the sample's rows in each of a coarser set of bins: least when spread evenly."""
        cells = np.empty(len(sample), dtype=np.int64)
        self._replace(bins=min(self.bins, 256))(sample, cells)
        return float((np.bincount(cells) ** 2.0).sum())


def _spread(sample: Floats, bins: int) -> _Scale:
    """The scale on which a sample spreads more evenly."""
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
