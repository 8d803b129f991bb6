"""Agreement of two versions of a model's scores: how far they differ, and what that does to rankings."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import difference
from ranker.fusion import Candidates, Plan
from ranker.metrics.ndcg import ndcg

TOP = 10
"""Ranks that are compared."""
LEAST_NDCG = 0.999
"""Default bound of the NDCG below which scores are not accepted in place of the exact ones."""


class Agreement(NamedTuple):
    """How well scores agree with the exact ones, as means over requests."""

    difference: float
    """Largest difference of a score, as :func:`ranker.artifact.difference`."""
    ndcg: float
    """NDCG@10 of the ranking, with the exact fused score, from the request's least, as the gain; 1: the same top 10."""
    overlap: float
    """Fraction of the exact top 10 in the top 10."""
    requests: int
    """Number of requests."""

    def __str__(self) -> str:
        return (
            f"scores differ by at most {self.difference:.1e}; NDCG@{TOP} {self.ndcg:.5f} and {self.overlap:.2%} of the "
            f"top {TOP} of {self.requests:,} requests are kept"
        )


def agreement(plan: Plan, exact: Candidates, scores: NDArray[np.floating]) -> Agreement:
    """Compare scores [N, T] with those of ``exact``, whose requests are ranked by ``plan``."""
    other = Candidates.of(plan.objectives, scores, exact.requests, exact.features)
    fused, found = (plan.rank(candidates).fused for candidates in (exact, other))
    codes = exact.requests.codes
    first, second = (exact.requests.better(column) < TOP for column in (fused, found))
    sizes = np.bincount(codes[first], minlength=exact.requests.count)
    common = np.bincount(codes[first & second], minlength=exact.requests.count)
    kept = ndcg(fused - exact.requests.least(fused), found, codes, TOP)
    return Agreement(
        difference=difference(np.asarray(scores), exact.scores),
        ndcg=kept.value if kept.groups else 1.0,  # in each request all are equal
        overlap=float(np.mean(common / np.maximum(sizes, 1))),
        requests=exact.requests.count,
    )
