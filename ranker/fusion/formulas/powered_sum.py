"""Powered sum: each objective's score bent by a power, so that its weight depends on the score itself."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula

FLOOR = 1e-9
"""The least score: zero has a logarithm then, and 0 to the power 0 is 1."""


def powered_parameters(alpha: Parameter) -> tuple[Parameter, ...]:
    """``factor``, ``beta`` and a formula's own ``alpha``."""
    return (
        Parameter(
            name="factor",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Strength of the objective; negative counts against a candidate.",
        ),
        Parameter(
            name="beta",
            default=1.0,
            low=0.0,
            high=5.0,
            per_objective=True,
            description="Power of the score: above 1 high scores count more than in proportion, below 1 less.",
        ),
        alpha,
    )


def log_scores(candidates: Candidates) -> Floats:
    """Logarithms [N, T] of the scores, which are at least ``FLOOR``, so that a power costs a product."""
    return np.asarray(np.log(np.maximum(candidates.scores, FLOOR)))


@FUSIONS.register("powered_sum")
class PoweredSum(Formula):
    """``sum_i (alpha_i + factor_i p_i^beta_i)``; a score below ``FLOOR`` counts as ``FLOOR``.

    What a little more of an objective is worth, ``factor beta p^(beta - 1)``, depends on the score: with beta above 1
    an objective counts for users who are likely to act on it, and hardly for others.
    """

    parameters = powered_parameters(
        Parameter(
            name="alpha",
            default=0.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            affects_order=False,
            description="Added to the objective's term; moves all candidates alike, so never their order.",
        )
    )
    direction = "factor"
    # As long as no score meets the floor.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {"common_scaling": {"beta": 1.0}}

    def prepare(self, candidates: Candidates) -> Floats:
        """Logarithms of the scores [N, T]."""
        return log_scores(candidates)

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Logarithms [N, T]; factor, beta and alpha [..., T] -> fused scores [..., N]."""
        factor, beta, alpha = parameters["factor"], parameters["beta"], parameters["alpha"]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # one at a time: no [..., N, T] temporary per parameter set
            total = total + factor[..., None, i] * np.exp(beta[..., None, i] * prepared[..., i])
        return np.asarray(total + np.sum(alpha, axis=-1)[..., None], dtype=np.float64)
