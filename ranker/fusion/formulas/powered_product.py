"""Powered product: objectives as factors with an offset and a power each."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula
from ranker.fusion.formulas.powered_sum import log_scores, powered_parameters

LEAST_FACTOR = 1e-12
"""Lower bound of a factor, which a negative ``factor`` could make negative."""

LARGEST = 1e300
"""Upper bound of the fused score, within float64; beyond it candidates tie."""


@FUSIONS.register("powered_product")
class PoweredProduct(Formula):
    """``prod_i (alpha_i + factor_i p_i^beta_i)``: an objective's effect on a candidate depends on its score.

    Scores are clipped below at ``FLOOR``, factors at ``LEAST_FACTOR``. With alpha 0 a positive ``factor`` scales all
    candidates equally and does not affect the order. With alpha 1 an objective with a score near 0 leaves the product
    unchanged, and ``factor p^beta`` is its relative gain.
    """

    parameters = powered_parameters(
        Parameter(
            name="alpha",
            default=1.0,
            low=0.0,
            high=10.0,
            per_objective=True,
            description="The factor's floor; larger values limit how much the objective can lower a candidate.",
        )
    )
    direction = "factor"
    # Holds if no score or factor is clipped, except with negative factors, where all are clipped.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {
        "scaling": {"alpha": 0.0},
        "common_scaling": {"alpha": 0.0},
    }

    def prepare(self, candidates: Candidates) -> Floats:
        """Logarithms of the scores [N, T]."""
        return log_scores(candidates)

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Logarithms [N, T]; factor, beta and alpha [..., T] -> fused scores [..., N], finite and >= 0."""
        factor, beta, alpha = parameters["factor"], parameters["beta"], parameters["alpha"]
        product = np.ones(1)
        with np.errstate(over="ignore", under="ignore"):
            for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
                term = alpha[..., None, i] + factor[..., None, i] * np.exp(beta[..., None, i] * prepared[..., i])
                product = product * np.maximum(term, LEAST_FACTOR)
        return np.asarray(np.minimum(product, LARGEST), dtype=np.float64)
