"""XAUC: how often scores order two rows as their amounts do."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_numbers, ratio, run_starts


def xauc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Share of the pairs of rows with different labels that scores order alike, ties of scores counting one half.

    Zhan et al., "Deconfounding Duration Bias in Watch-time Prediction for Video Recommendation", KDD 2022. It is the
    AUC if labels are 0 and 1. All pairs are counted, in O(N log N).

    Parameters
    ----------
    labels, scores
        Finite labels and scores [N] of any scale.

    Returns
    -------
    float
        In [0, 1]; NaN if all labels are equal.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    labels = checked_numbers("labels", labels)
    return checked_xauc(labels, checked_numbers("scores", scores, len(labels)))


def checked_xauc(labels: Floats, scores: Floats) -> float:
    """XAUC of checked rows."""
    order = np.lexsort((-labels, scores))  # with labels descending, no pair of equal scores counts as ordered alike
    ranks = np.unique(labels[order], return_inverse=True)[1]
    differ = _pairs(len(ranks)) - _pairs(np.bincount(ranks)) if len(ranks) else 0
    of_scores = scores[order]
    both = _pairs(np.diff(run_starts(of_scores, ranks), append=len(ranks)))
    tied = _pairs(np.diff(run_starts(of_scores), append=len(ranks))) - both
    return ratio(_ascents(ranks) + 0.5 * tied, differ)


def _pairs(counts: int | NDArray[np.integer]) -> int:
    """Number of pairs within groups of these sizes."""
    sizes = np.asarray(counts, dtype=np.int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _ascents(ranks: NDArray[np.intp]) -> int:
    """Number of pairs i < j with ``ranks[i] < ranks[j]`` of ranks [N] >= 0.

    Two ranks differ first in some binary digit. For each digit, rows that are equal in the higher ones are brought
    together, in their order, and the zeros before each one are counted.
    """
    found, values = 0, ranks
    for digit in reversed(range(int(ranks.max(initial=0)).bit_length())):
        ones = (values >> digit) & 1
        zeros_before = np.cumsum(1 - ones)
        starts = run_starts(values >> (digit + 1))
        at_start = zeros_before[starts] - (1 - ones[starts])
        within = zeros_before - np.repeat(at_start, np.diff(starts, append=len(values)))
        found += int((ones * within).sum())
        values = values[np.argsort(values >> digit, kind="stable")]
    return found
