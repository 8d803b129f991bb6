"""Rank fusion by buckets: depends only on the order of a request's candidates per objective."""

from collections.abc import Mapping

import numpy as np

from ranker.fusion.base import ORDER_ALONE, Floats, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula

# Added before rounding down, for products that should be whole (100 x 0.29 = 28.999...). With 10000 buckets the
# rounding error is below 3e-12; other products are at least 1/N below the next whole number.
ROUNDING = 1e-9


@FUSIONS.register("rank_bucket")
class RankBucket(Formula):
    """``sum_i weight_i b_i``, a weighted Borda count, where ``b_i`` is a candidate's bucket value on objective i.

    A candidate with g strictly better ones of a request's N candidates is in bucket ``floor(buckets g / N)``, counted
    from the best. Bucket values go from 1 for the best down to 1/buckets in equal steps; so the best candidate gets
    exactly 1, and tied candidates share a bucket. Objectives of different units can be combined without calibration.
    """

    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the best bucket; a negative value counts against a candidate.",
        ),
        Parameter(
            name="buckets",
            default=100,
            low=2,
            high=10_000,
            per_objective=False,
            integer=True,
            description="Number of equal buckets per objective's ranking.",
        ),
    )
    direction = "weight"
    invariant_to = ORDER_ALONE

    def prepare(self, candidates: Candidates) -> Floats:
        """Fraction of the request's candidates that are strictly better [N, T], in [0, 1)."""
        return candidates.better / candidates.requests.size[:, None]

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Fractions [N, T], weight [..., T] and buckets [...] -> fused scores [..., N]."""
        weight, buckets = parameters["weight"], np.asarray(parameters["buckets"])[..., None]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            bucket_value = (buckets - np.floor(buckets * prepared[..., i] + ROUNDING)) / buckets
            total = total + weight[..., None, i] * bucket_value
        return np.asarray(total, dtype=np.float64)
