"""Rank fusion: only the order of a request's candidates within each objective counts."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import ORDER_ALONE, Floats, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula

# Added before rounding down, for products that are whole but for rounding (100 x 0.29 = 28.999...). With
# 10000 buckets rounding errs by less than 3e-12; all others miss the next whole number by 1/N or more.
ROUNDING = 1e-9


@FUSIONS.register("rank_bucket")
class RankBucket(Formula):
    """``sum_i weight_i b_i``, a weighted Borda count: ``b_i`` is how high a candidate stands on objective i.

    Of a request's N candidates, one with g strictly better ones stands in bucket ``floor(buckets g / N)``,
    counted from the best. Buckets are worth 1 for the best down to 1/buckets, in equal steps; so the best
    candidate is worth exactly 1, and tied candidates share a bucket. Objectives of any units can be mixed,
    and nothing needs calibrating.
    """

    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="What standing best on the objective is worth; negative counts against a candidate.",
        ),
        Parameter(
            name="buckets",
            default=100,
            low=2,
            high=10_000,
            per_objective=False,
            integer=True,
            description="Into how many equal parts each objective's ranking is cut.",
        ),
    )
    direction = "weight"
    invariant_to = ORDER_ALONE

    def prepare(self, candidates: Candidates) -> Floats:
        """Share of the request's candidates that are strictly better [N, T], in [0, 1)."""
        return candidates.better / candidates.requests.size[:, None]

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Standings [N, T], weight [..., T] and buckets [...] -> fused scores [..., N]."""
        weight, buckets = parameters["weight"], np.asarray(parameters["buckets"])[..., None]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # one at a time: no [..., N, T] temporary per parameter set
            worth = (buckets - np.floor(buckets * prepared[..., i] + ROUNDING)) / buckets
            total = total + weight[..., None, i] * worth
        return np.asarray(total, dtype=np.float64)
