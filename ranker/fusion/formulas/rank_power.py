"""Rank fusion by a power of the rank, which emphasises the top ranks."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import ORDER_ALONE, Floats, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula


@FUSIONS.register("rank_power")
class RankPower(Formula):
    """``sum_i weight_i / (rank_i^alpha_i + beta_i)``, with the rank on objective i within the request.

    The best candidate has rank 1; tied candidates share the lowest of their ranks. Only the order of a request's
    candidates per objective matters, so that objectives of different units can be combined.
    """

    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the top ranks; a negative value counts against a candidate.",
        ),
        Parameter(
            name="alpha",
            default=1.0,
            low=0.0,
            high=5.0,
            per_objective=True,
            description="How steeply the value falls with the rank; at 0 the objective has no effect on the order.",
        ),
        Parameter(
            name="beta",
            default=0.0,
            low=0.0,
            high=1000.0,
            per_objective=True,
            description="Flattens the top: ranks well below beta get about the same value.",
        ),
    )
    direction = "weight"
    invariant_to = ORDER_ALONE

    def prepare(self, candidates: Candidates) -> Floats:
        """Ranks [N, T], from 1."""
        return candidates.ranks

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Ranks [N, T]; weight, alpha and beta [..., T] -> fused scores [..., N]."""
        weight, alpha, beta = parameters["weight"], parameters["alpha"], parameters["beta"]
        places = prepared.astype(np.intp) - 1
        # Powers are computed once per distinct rank and looked up per candidate.
        logs = np.log(np.arange(1.0, prepared.max(initial=1.0) + 1.0))
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            value = weight[..., None, i] / (np.exp(alpha[..., None, i] * logs) + beta[..., None, i])
            total = total + np.take(value, places[:, i], axis=-1)
        return np.asarray(total, dtype=np.float64)
