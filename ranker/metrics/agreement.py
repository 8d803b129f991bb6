"""Agreement of a ranking with a reference ranking of the same candidates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.metrics.checks import Floats


class RankingAgreement(NamedTuple):
    """Agreement of the first k places of one list."""

    ndcg: float
    """In [0, 1]; NaN if all reference scores are equal."""
    recall: float
    """Fraction of the reference's first k that is among the first k."""
    regret: float
    """Mean reference score of the reference's first k, minus that of the first k."""


def ranking_agreement(
    fused: Floats, reference: NDArray[np.intp], ranking: NDArray[np.intp], k: int = 10
) -> RankingAgreement:
    """Compare a ranking of one list with the reference ranking at a cutoff.

    The gain of candidate i is ``g_i = f_i - min_j f_j`` with the reference's fused scores f, over the candidates of the
    reference ranking; candidates that the reference drops have gain 0. With the ranking's candidate r_p at place p,
    ``NDCG@k = (sum_p g[r_p] / log2(1 + p)) / (sum_p g[q_p] / log2(1 + p))`` over p = 1..k, where q is the reference.
    The minimum is subtracted because a constant added to all scores changes no ranking: gains far from 0 would make
    every ranking look good. A candidate that a rule moves behind others in the reference gains what its place is worth:
    gains are made non-increasing along the reference ranking. Infinite scores count as the nearest finite one.

    Parameters
    ----------
    fused
        The reference's fused scores [N].
    reference, ranking
        Positions of the candidates, best first; either may leave out dropped ones.
    k
        Cutoff, >= 1.
    """
    gains = np.zeros(len(fused))
    if len(reference):
        finite = fused[reference][np.isfinite(fused[reference])]
        limits = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
        along = np.minimum.accumulate(np.clip(fused[reference], *limits))
        gains[reference] = along - along[-1]
    best, top = reference[:k], ranking[:k]
    ideal = _dcg(gains[best])
    value = _dcg(gains[top]) / ideal if ideal > 0 else np.nan
    lost = gains[best].sum() - gains[top].sum()
    count = max(len(best), 1)
    return RankingAgreement(value, len(np.intersect1d(best, top)) / count if len(best) else 1.0, float(lost) / count)


def _dcg(gains: Floats) -> float:
    """Discounted gains of places 1, 2, ..."""
    return float((gains / np.log2(2.0 + np.arange(len(gains)))).sum())
