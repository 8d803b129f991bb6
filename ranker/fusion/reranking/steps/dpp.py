"""Determinantal point process: greedy MAP inference with an incremental Cholesky factor.

Chen, Zhang & Zhou 2018, "Fast greedy MAP inference for determinantal point process to improve recommendation
diversity".
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, Parameter
from ranker.fusion.reranking.base import CONSIDER, FIRST, STEPS, Diversifier, Indices, Request
from ranker.fusion.reranking.relevance import RELEVANCES
from ranker.fusion.reranking.similarity import Similarity, similar

DAMPING = 0.01
"""Similarities of different candidates are multiplied by 1 - DAMPING, so that duplicates have a determinant above 0."""
LEAST = 1e-12
"""Least squared diagonal of the Cholesky factor, against rounding."""


@STEPS.register("dpp")
class Dpp(Diversifier):
    """Picks the candidate that raises ``theta * sum(relevance) + (1 - theta) * log det(S)`` most, S of those picked.

    This is greedy MAP of the kernel ``q_i S_ij q_j`` with quality ``q = exp(theta / (2 (1 - theta)) * relevance)``.
    S are similarities, those of different candidates times 0.99. Ties go to the candidate that was ahead.
    """

    kind: Literal["dpp"]
    theta: float = Field(
        0.7, description="Weight of relevance against log-determinant: towards 1 keeps the order, 0 ignores relevance."
    )

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="theta", default=0.7, low=0.0, high=0.999, per_objective=False,
            description="Weight of relevance against log-determinant: towards 1 keeps the order, 0 ignores relevance.",
        ),
        FIRST,
        CONSIDER,
    )  # fmt: skip

    def picks(self, request: Request, places: Indices) -> Indices:
        """The picks, best first."""
        relevance = RELEVANCES[self.relevance](request.fused[places])
        found, _ = picked(relevance, similar(self.compared, request, places), self.theta, self.first)
        return places[found]


def picked(relevance: Floats, similarity: Similarity, theta: float, count: int) -> tuple[Indices, Floats]:
    """Greedy picks [K = min(count, M)], and the log-determinant of S over the first 1 to K picks [K].

    From relevance [M] and similarity [M, M].
    """
    count = min(count, len(relevance))
    found = np.empty(count, dtype=np.intp)
    logs = np.empty(count)
    gain = theta / (1.0 - theta) * relevance
    factor = np.empty((count, len(relevance)))  # rows of the Cholesky factor, transposed
    left = np.ones(len(relevance))  # squared diagonal if a candidate were picked next
    for n in range(count):
        value = gain + np.log(left)
        value[found[:n]] = -np.inf
        found[n] = best = int(np.argmax(value))
        logs[n] = np.log(left[best])
        if n == count - 1:
            break
        row = (1.0 - DAMPING) * similarity.row(best)
        row[best] = 1.0
        row -= factor[:n, best] @ factor[:n]
        row /= np.sqrt(left[best])
        factor[n] = row
        left -= row * row
        np.maximum(left, LEAST, out=left)
    return found, np.cumsum(logs)
