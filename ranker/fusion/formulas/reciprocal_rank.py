"""Reciprocal rank fusion: what search engines merge result lists by."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import ORDER_ALONE, Floats, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula


@FUSIONS.register("reciprocal_rank")
class ReciprocalRank(Formula):
    """``sum_i weight_i / (k + rank_i)``, with the rank on objective i within the request, 1 the best.

    Tied candidates share the rank of the first of them. Cormack, Clarke & Buettcher 2009, with a weight for each
    objective.
    """

    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="What the objective's order is worth; negative counts against a candidate.",
        ),
        Parameter(
            name="k",
            default=60.0,
            low=0.0,
            high=10_000.0,
            per_objective=False,
            description="The larger, the less the first places stand out.",
        ),
    )
    direction = "weight"
    invariant_to = ORDER_ALONE

    def prepare(self, candidates: Candidates) -> Floats:
        """Ranks [N, T], from 1."""
        return candidates.ranks

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Ranks [N, T], weight [..., T] and k [...] -> fused scores [..., N]."""
        weight, k = parameters["weight"], np.asarray(parameters["k"])[..., None]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # one at a time: no [..., N, T] temporary per parameter set
            total = total + weight[..., None, i] / (k + prepared[..., i])
        return np.asarray(total, dtype=np.float64)
