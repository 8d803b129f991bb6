"""AUCs of several label columns under one score, from a single sort."""

import threading

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_numbers, run_starts
from ranker.metrics.row_classes import RowClasses

Codes = NDArray[np.intp]

KEY = 64
"""Bits of a sort key: the score in the high bits, the row's class in the low bits."""


class JointAuc:
    """Exact AUC of each of T label columns under scores [N], as ``auc`` per column.

    Created once for the labels and called for any number of scores; thread-safe. Scores and row classes
    (:class:`RowClasses`) are packed into one 64-bit key per row and sorted directly, several times as fast as an
    argsort; the rank sums of each class then give all columns. If a key cannot hold both (scores over more than about
    250 powers of two, or thousands of classes), rows are sorted by score with an argsort.

    Arguments and errors are as in ``RowClasses.of``.
    """

    def __init__(self, labels: ArrayLike, known: ArrayLike | None = None, weights: ArrayLike | None = None) -> None:
        self.classes = RowClasses.of(labels, known, weights)
        self._bits = max(self.classes.count - 1, 1).bit_length()
        self._codes = self.classes.codes.astype(np.int64)
        self._own = threading.local()  # per-thread buffers: allocating pages costs as much as the arithmetic

    def __call__(self, scores: ArrayLike) -> Floats:
        """AUCs [T] in [0, 1], where ties count one half; NaN for a column without pairs.

        Raises ``ValueError`` for scores of another length or with a value that is not finite, naming its row.
        """
        codes, ties = self._sorted(checked_numbers("scores", scores, len(self._codes)))
        wins = self._wins_by_ranks(codes, ties) if self.classes.alike else self._wins_by_columns(codes, ties)
        pairs = self.classes.pairs
        return np.asarray(np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))

    def _sorted(self, scores: Floats) -> tuple[Codes, Codes | None]:
        """Classes in ascending score order [N], and starts of runs of equal scores; ``None`` without ties."""
        key, codes = self._memory()
        if not _ranked(scores, key, codes, self._bits):
            order = np.argsort(scores)
            ties = run_starts(scores[order])
            return self._codes[order], None if len(ties) == len(scores) else ties
        key <<= self._bits
        key |= self._codes
        sorted_keys = key.view(np.uint64)
        sorted_keys.sort()
        np.bitwise_and(key, (1 << self._bits) - 1, out=codes)
        sorted_keys >>= np.uint64(self._bits)
        ties = sorted_keys[1:] == sorted_keys[:-1]
        return codes, run_starts(sorted_keys) if ties.any() else None

    def _memory(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if not hasattr(self._own, "key"):
            self._own.key, self._own.codes = np.empty_like(self._codes), np.empty_like(self._codes)
        return self._own.key, self._own.codes

    def _wins_by_ranks(self, codes: Codes, ties: Codes | None) -> Floats:
        """Concordant pairs [T] if all rows count once: rank sum of positives minus their rank sum among themselves."""
        ranks = np.arange(len(codes), dtype=np.float64)
        if ties is not None:
            runs = np.diff(ties, append=len(codes))
            ranks = np.repeat(ties + 0.5 * (runs - 1), runs)
        # Multiples of 1/2 below 2^52 for up to 90 million rows, so exact.
        sums = np.bincount(codes, ranks, minlength=self.classes.count)
        positives = self.classes.rows @ self.classes.positive
        return np.asarray(sums @ self.classes.positive - 0.5 * positives * (positives - 1))

    def _wins_by_columns(self, codes: Codes, ties: Codes | None) -> Floats:
        """Concordant pairs [T], per column with its own rows and weights."""
        starts = np.arange(len(codes)) if ties is None else ties
        wins = np.empty(self.classes.positive.shape[1])
        for i in range(len(wins)):
            positives, negatives = (side[codes, i] for side in (self.classes.positive, self.classes.negative))
            if ties is not None:
                positives, negatives = np.add.reduceat(positives, starts), np.add.reduceat(negatives, starts)
            below = np.cumsum(negatives) - 0.5 * negatives
            wins[i] = (positives * below).sum()
        return wins


def _ranked(scores: Floats, key: NDArray[np.int64], spare: NDArray[np.int64], bits: int) -> bool:
    """Write order-preserving nonnegative integers of the scores to ``key``; return whether ``bits`` remain free.

    The bits of a nonnegative double, read as an integer, increase with it. Magnitudes are relative to the smallest
    nonzero one, which leaves room for zeros and both signs.
    """
    if not len(scores):
        return True
    np.add(scores, 0.0, out=key.view(np.float64))  # -0 becomes 0
    low, high = float(scores.min()), float(scores.max())
    room = 1 << (KEY - bits)
    if low > 0:
        least = int(key.min())
        key -= least
        return int(np.float64(high).view(np.int64)) - least < room
    negative = key < 0
    np.bitwise_and(key, np.iinfo(np.int64).max, out=spare)
    least = int(spare[spare > 0].min(initial=np.iinfo(np.int64).max)) - 1
    spare -= least
    np.maximum(spare, 0, out=spare)
    np.negative(spare, out=spare, where=negative)
    lowest = int(spare.min())
    np.subtract(spare, lowest, out=key)
    return int(spare.max()) - lowest < room
