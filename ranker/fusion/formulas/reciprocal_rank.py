"""Reciprocal rank fusion, as used to merge search results."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import ORDER_ALONE, Floats, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula


@FUSIONS.register("reciprocal_rank")
class ReciprocalRank(Formula):
    """``sum_i weight_i / (k + rank_i)``, with the rank on objective i within the request; 1 is best.

    Tied candidates share the lowest of their ranks. Cormack, Clarke & Buettcher 2009, with a weight per objective.
    """

    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the objective; a negative value counts against a candidate.",
        ),
        Parameter(
            name="k",
            default=60.0,
            low=0.0,
            high=10_000.0,
            per_objective=False,
            description="Larger values flatten the top ranks.",
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
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            total = total + weight[..., None, i] / (k + prepared[..., i])
        return np.asarray(total, dtype=np.float64)
