"""Powered product: objectives as factors with a floor of their own, each bent by a power."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula
from ranker.fusion.formulas.powered_sum import log_scores, powered_parameters

LEAST_FACTOR = 1e-12
"""The least value of a factor, for one that a negative ``factor`` would make negative."""

LARGEST = 1e300
"""The fused score stays below it, inside float64; beyond, candidates tie."""


@FUSIONS.register("powered_product")
class PoweredProduct(Formula):
    """``prod_i (alpha_i + factor_i p_i^beta_i)``: how far an objective can lift a candidate is up to its score.

    A score below ``FLOOR`` counts as that, a factor below ``LEAST_FACTOR`` as that. With alpha 0 a positive
    ``factor`` multiplies all candidates alike and orders nothing; with alpha 1 an objective that predicts next to
    nothing leaves the product as it is, and ``factor p^beta`` is the share that it adds.
    """

    parameters = powered_parameters(
        Parameter(
            name="alpha",
            default=1.0,
            low=0.0,
            high=10.0,
            per_objective=True,
            description="The factor's floor: the larger, the less the objective can take from a candidate.",
        )
    )
    direction = "factor"
    # As long as neither a score nor a factor meets its floor, except for those of negative factors, which all do.
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
            for i in range(prepared.shape[-1]):  # one at a time: no [..., N, T] temporary per parameter set
                term = alpha[..., None, i] + factor[..., None, i] * np.exp(beta[..., None, i] * prepared[..., i])
                product = product * np.maximum(term, LEAST_FACTOR)
        return np.asarray(np.minimum(product, LARGEST), dtype=np.float64)
