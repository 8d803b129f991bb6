"""Normalised discounted cumulative gain (NDCG) of grouped rankings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.metrics.checks import Floats, checked_groups, checked_numbers, run_starts


class Ndcg(NamedTuple):
    """A mean NDCG and the number of groups."""

    value: float
    """In [0, 1]; NaN if no group has any gain."""
    groups: int
    """Number of groups with a positive gain; only these are used."""


def ndcg(gains: ArrayLike, scores: ArrayLike, groups: ArrayLike, k: int | None = None) -> Ndcg:
    """Mean NDCG@k over groups, such as users or requests. Järvelin & Kekäläinen 2002.

    The gain at rank r = 1, 2, .. is divided by log2(1 + r). Gains are linear: pass 2^relevance - 1 for exponential
    gain. Rows of equal score share their mean gain, the expectation over all orders (McSherry & Najork 2008). Groups
    without any gain have no ideal ranking and are left out.

    Parameters
    ----------
    gains, scores
        Gains >= 0 and finite scores of any scale [N].
    groups
        Group key of each row [N]: integers, strings, or other keys of one sortable type.
    k
        Cutoff rank, >= 1; ``None`` for all ranks.

    Raises
    ------
    ValueError
        For unequal lengths, invalid values (the message names the row) and ``k`` below 1.
    """
    if k is not None and k < 1:
        raise ValueError(f"k must be >= 1, got {k}")
    gains = checked_numbers("gains", gains)
    scores = checked_numbers("scores", scores, len(gains))
    codes = checked_groups(groups, len(gains))
    if len(gains) and gains.min() < 0:
        row = int(np.flatnonzero(gains < 0)[0])
        raise ValueError(f"gains must be >= 0, got {gains[row]} in row {row}")
    ideal = _dcg(gains, gains, codes, k)
    used = ideal > 0
    reached = _dcg(gains, scores, codes, k)[used] / ideal[used]
    return Ndcg(float(reached.mean()) if len(reached) else float("nan"), len(reached))


def _dcg(gains: Floats, scores: Floats, codes: NDArray[np.intp], k: int | None) -> Floats:
    """DCG of each group [G], from rows and group codes [N]: one sort, no loop."""
    if not len(gains):
        return np.zeros(0)
    order = np.lexsort((-scores, codes))
    codes, scores, gains = codes[order], scores[order], gains[order]
    starts = run_starts(codes)
    rank = np.arange(len(codes)) - np.repeat(starts, np.diff(starts, append=len(codes)))
    discounts = np.where(rank < (len(codes) if k is None else k), 1.0 / np.log2(2.0 + rank), 0.0)
    ties = run_starts(codes, scores)
    mean_gains = np.add.reduceat(gains, ties) / np.diff(ties, append=len(codes))
    shares = mean_gains * np.add.reduceat(discounts, ties)
    return np.add.reduceat(shares, run_starts(codes[ties]))
