"""AUCs of several label columns from one histogram of the scores: no ordering at all, and a bound on the error."""

import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats
from ranker.metrics.row_classes import RowClasses

BINS = 32_768
SAMPLE = 4_096
MARGIN = 0.1
"""By how much of the sample's width the bins go on beyond either end of it."""

Blocks = Iterable[tuple[slice, Floats]]
"""Scores of P rankings in parts: which rows, and their scores [P, n]."""


class BoundedAucs(NamedTuple):
    """AUCs [T] or [P, T] of histograms, and how far each may be from the exact one."""

    values: Floats
    bounds: Floats


class BinnedAuc:
    """AUC of each of T label columns under scores [N], of scores rounded to bins.

    One count of bin and class of row (:class:`RowClasses`) holds all columns. A pair in one bin counts one half, where
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
        drawn = np.random.default_rng(seed).choice(rows, min(rows, SAMPLE), replace=False)
        self.sample: NDArray[np.intp] = np.sort(drawn)
        self.bins = bins
        self._codes = self.classes.codes.astype(np.int64) * bins  # where the counts of a row's class begin
        self._own = threading.local()

    def __call__(self, scores: ArrayLike) -> BoundedAucs:
        """AUCs of finite scores [N]. Raises ``ValueError`` for another length."""
        values = np.asarray(scores, dtype=np.float64)
        if values.shape != self._codes.shape:
            raise ValueError(f"scores must be [{len(self._codes)}], got shape {list(values.shape)}")
        found = self.of_blocks(values[None, self.sample], [(slice(0, len(values)), values[None])])
        return BoundedAucs(found.values[0], found.bounds[0])

    def of_blocks(self, samples: Floats, blocks: Blocks) -> BoundedAucs:
        """AUCs [P, T] of scores that are never in memory at once, given those of the rows ``sample`` [P, S] first.

        What a block's rows are scored by is read once for all P rankings.
        """
        scales = [_spread(sample, self.bins) for sample in samples]
        cells = self._cells(len(scales))
        for rows, scores in blocks:
            for place, ranking, own in zip(scales, scores, cells, strict=True):
                block = own[rows]
                place(ranking, block)
                block += self._codes[rows]
        found = [self._counted(own) for own in cells]
        return BoundedAucs(np.array([each.values for each in found]), np.array([each.bounds for each in found]))

    def _counted(self, cells: NDArray[np.int64]) -> BoundedAucs:
        """AUCs [T] from the bin and class of each row [N]."""
        found = np.bincount(cells, minlength=self.bins * self.classes.count)
        counts = found.reshape(self.classes.count, self.bins).astype(np.float64)
        positives = _summed(self.classes.positive, counts)
        # Whole numbers, so that the difference is exact.
        negatives = counts.sum(axis=0) - positives if self.classes.alike else _summed(self.classes.negative, counts)
        below = np.cumsum(negatives, axis=1) - 0.5 * negatives
        pairs, undefined = self.classes.pairs, np.full(len(positives), np.nan)
        wins, shared = (positives * below).sum(axis=1), 0.5 * (positives * negatives).sum(axis=1)
        values = np.divide(wins, pairs, out=undefined.copy(), where=pairs > 0)
        return BoundedAucs(values, np.divide(shared, pairs, out=undefined, where=pairs > 0))

    def _cells(self, rankings: int) -> list[NDArray[np.int64]]:
        kept: list[NDArray[np.int64]] = self._own.__dict__.setdefault("cells", [])
        kept += [np.empty_like(self._codes) for _ in range(rankings - len(kept))]
        return kept[:rankings]


def _summed(weights: Floats, counts: Floats) -> Floats:
    """Counts [C, bins] of classes, summed by weights [C, T] to [T, bins]; not by BLAS, as in ``checks.total``."""
    sums = np.zeros((weights.shape[1], counts.shape[1]))
    for of_class, each in zip(weights, counts, strict=True):
        for task in np.flatnonzero(of_class):
            sums[task] += each if of_class[task] == 1 else of_class[task] * each
    return sums


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
