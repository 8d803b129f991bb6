"""Smoothed label statistics: how often a value was seen, and the mean of each label over its rows.

Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", 2001, with out-of-fold
means for the training rows so that no row sees its own label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Floats, Integers
from ranker.encoding.vocabulary import UNSEEN, Vocabulary

FloatArray = NDArray[np.float64]


class Combination:
    """Codes of one or several features -> codes of their combination, seen combinations only."""

    def __init__(self, pairs: Sequence[Vocabulary]) -> None:
        self.pairs = tuple(pairs)

    def add(self, codes: Sequence[Integers]) -> Integers:
        """Codes [N] of the combination, new ones being taken up; ``codes`` holds [N] for each feature."""
        return self._joined(codes, grow=True)

    def codes(self, codes: Sequence[Integers]) -> Integers:
        """Codes [N] of the combination, :data:`UNSEEN` for one not met while fitting."""
        return self._joined(codes, grow=False)

    def _joined(self, codes: Sequence[Integers], grow: bool) -> Integers:
        joined = codes[0]
        for vocabulary, other in zip(self.pairs, codes[1:], strict=True):
            # Codes stay below 2^31, so that a pair fits into one integer of 64 bits.
            keys = (joined << 32) | other
            joined = vocabulary.add(keys, "") if grow else vocabulary.codes(keys, "")
        return joined


class Sums(NamedTuple):
    """Counts [V], and per label the sum [V, L] over the rows where it is known, and their number [V, L]."""

    counts: FloatArray
    sums: FloatArray
    known: FloatArray


@dataclass(frozen=True)
class Statistics:
    """The sums of one key's V codes and how inputs are made of them."""

    totals: Sums
    priors: FloatArray
    binary: NDArray[np.bool_]
    smoothing: float
    shift: FloatArray
    scale: FloatArray

    def encode(self, codes: Integers, held_out: Sums | None = None) -> NDArray[np.float32]:
        """Inputs [N, 1 + L]: log count and, per label, the logit of the smoothed mean (the mean of a non-rate).

        ``held_out`` holds sums [N], [N, L] to leave out of each row's statistics: those of the row's own fold.
        """
        sums = Sums(*(array[codes] for array in self.totals))
        if held_out is not None:
            sums = Sums(*(total - own for total, own in zip(sums, held_out, strict=True)))
        raw = _inputs(sums, self.priors, self.binary, self.smoothing)
        scaled: NDArray[np.float32] = ((raw - self.shift) * self.scale).astype(np.float32)
        return scaled


class StatisticsFitter:
    """Sums labels per code and fold of one key, in one pass."""

    def __init__(self, labels: int, folds: int) -> None:
        self.folds = folds
        self._counts = np.zeros((0, folds))
        self._sums = np.zeros((0, folds, labels))
        self._known = np.zeros((0, folds, labels))

    def add(self, codes: Integers, folds: Integers, labels: Floats, known: NDArray[np.bool_]) -> None:
        """Take up one chunk: codes [N], folds [N], labels [N, L] and whether each is known [N, L]."""
        self._reserve(int(codes.max(initial=UNSEEN)) + 1)
        at = codes * self.folds + folds
        np.add.at(self._counts.reshape(-1), at, 1.0)
        for label in range(labels.shape[1]):
            mask = known[:, label]
            place = at[mask] * labels.shape[1] + label
            np.add.at(self._sums.reshape(-1), place, labels[mask, label])
            np.add.at(self._known.reshape(-1), place, 1.0)

    def held_out(self, codes: Integers, folds: Integers) -> Sums:
        """Sums of each row's own fold: [N], [N, L], [N, L]."""
        return Sums(self._counts[codes, folds], self._sums[codes, folds], self._known[codes, folds])

    def fitted(self, codes: int, binary: NDArray[np.bool_], smoothing: float) -> Statistics:
        """Return the statistics of all folds, for ``codes`` codes, standardised over the rows that were seen."""
        self._reserve(codes)
        totals = Sums(*(a[:codes].sum(axis=1) for a in (self._counts, self._sums, self._known)))
        priors = totals.sums.sum(axis=0) / np.maximum(totals.known.sum(axis=0), 1.0)
        raw = _inputs(totals, priors, binary, smoothing)
        weights = totals.counts / max(totals.counts.sum(), 1.0)
        mean = weights @ raw
        deviation = np.sqrt(weights @ (raw - mean) ** 2)
        scale = 1.0 / np.where(deviation > 1e-12, deviation, 1.0)
        return Statistics(totals, priors, binary, smoothing, mean, scale)

    def _reserve(self, codes: int) -> None:
        if codes > len(self._counts):
            size = max(codes, 2 * len(self._counts))
            self._counts, self._sums, self._known = (
                np.concatenate([a, np.zeros((size - len(a), *a.shape[1:]))])
                for a in (self._counts, self._sums, self._known)
            )


def _inputs(sums: Sums, priors: FloatArray, binary: NDArray[np.bool_], smoothing: float) -> FloatArray:
    means = (sums.sums + smoothing * priors) / (sums.known + smoothing)
    rates = np.clip(means, 1e-6, 1 - 1e-6)
    values = np.where(binary, np.log(rates) - np.log1p(-rates), means)
    return np.concatenate([np.log1p(sums.counts)[:, None], values], axis=1)
