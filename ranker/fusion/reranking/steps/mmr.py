"""Maximal marginal relevance.

Carbonell & Goldstein 1998, "The use of MMR, diversity-based reranking for reordering documents and producing
summaries".
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, Parameter
from ranker.fusion.reranking.base import CONSIDER, FIRST, STEPS, Diversifier, Indices, Request
from ranker.fusion.reranking.relevance import RELEVANCES
from ranker.fusion.reranking.similarity import Similarity, similar


@STEPS.register("mmr")
class Mmr(Diversifier):
    """Picks the candidate of the largest ``lambda * relevance - (1 - lambda) * similarity`` to the most similar picked.

    The first pick has no similarity. Ties go to the candidate that was ahead.
    """

    kind: Literal["mmr"]
    lambda_: float = Field(
        0.7, alias="lambda", description="Weight of relevance: 1 keeps the order, 0 looks at similarity alone."
    )

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="lambda", default=0.7, low=0.0, high=1.0, per_objective=False,
            description="Weight of relevance: 1 keeps the order, 0 looks at similarity alone.",
        ),
        FIRST,
        CONSIDER,
    )  # fmt: skip

    def picks(self, request: Request, places: Indices) -> Indices:
        """The picks, best first."""
        relevance = RELEVANCES[self.relevance](request.fused[places])
        found = picked(relevance, similar(self.compared, request, places), self.lambda_, self.first)
        return places[found]


def picked(relevance: Floats, similarity: Similarity, weight: float, count: int) -> Indices:
    """Greedy picks [min(count, M)] from relevance [M] and similarity [M, M]; ``weight`` is lambda."""
    count = min(count, len(relevance))
    found = np.empty(count, dtype=np.intp)
    gain = weight * relevance
    closest = np.full(len(relevance), -np.inf)
    for n in range(count):
        value = gain - (1.0 - weight) * closest if n else gain.copy()
        value[found[:n]] = -np.inf
        found[n] = best = int(np.argmax(value))
        np.maximum(closest, similarity.row(best), out=closest)
    return found
