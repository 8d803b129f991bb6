"""Powered sum: a power of each score, so that an objective's marginal weight depends on the score."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula

FLOOR = 1e-9
"""Lower bound of scores, so that zero has a logarithm and 0 to the power 0 is 1."""


def powered_parameters(alpha: Parameter) -> tuple[Parameter, ...]:
    """``factor``, ``beta`` and the formula's ``alpha``."""
    return (
        Parameter(
            name="factor",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Strength of the objective; a negative value counts against a candidate.",
        ),
        Parameter(
            name="beta",
            default=1.0,
            low=0.0,
            high=5.0,
            per_objective=True,
            description="Power of the score; above 1 emphasises high scores, below 1 low ones.",
        ),
        alpha,
    )


def log_scores(candidates: Candidates) -> Floats:
    """Logarithms [N, T] of scores clipped below at ``FLOOR``, so that a power costs only a product."""
    return np.asarray(np.log(np.maximum(candidates.scores, FLOOR)))


@FUSIONS.register("powered_sum")
class PoweredSum(Formula):
    """``sum_i (alpha_i + factor_i p_i^beta_i)``; a score below ``FLOOR`` counts as ``FLOOR``.

    The marginal weight of an objective, ``factor beta p^(beta - 1)``, depends on the score: with beta above 1 an
    objective counts mostly for users who are likely to act on it.
    """

    parameters = powered_parameters(
        Parameter(
            name="alpha",
            default=0.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            affects_order=False,
            description="Added to the objective's term; the same for all candidates, so it never changes their order.",
        )
    )
    direction = "factor"
    # Holds if no score is clipped at the floor.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {"common_scaling": {"beta": 1.0}}

    def prepare(self, candidates: Candidates) -> Floats:
        """Logarithms of the scores [N, T]."""
        return log_scores(candidates)

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Logarithms [N, T]; factor, beta and alpha [..., T] -> fused scores [..., N]."""
        factor, beta, alpha = parameters["factor"], parameters["beta"], parameters["alpha"]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            total = total + factor[..., None, i] * np.exp(beta[..., None, i] * prepared[..., i])
        return np.asarray(total + np.sum(alpha, axis=-1)[..., None], dtype=np.float64)
