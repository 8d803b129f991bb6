"""Multiplicative fusion: objectives as factors, so that a candidate must score well on all of them."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.formula import FUSIONS, Formula

FLOOR = 1e-9
"""Lower bound of a factor ``shift + p``, so that zero has a logarithm and a negative power."""

LARGEST_EXPONENT = 700.0
"""Fused scores are clipped to exp(-700) .. exp(700), within float64; beyond it candidates tie."""


@FUSIONS.register("multiplicative")
class Multiplicative(Formula):
    """``prod_i (shift_i + p_i)^power_i``, as the exponential of a weighted sum of logarithms.

    A factor below ``FLOOR`` counts as ``FLOOR``. With all shifts 0 the ranking does not depend on the units of
    objectives; a larger shift compresses differences between small scores.
    """

    parameters = (
        Parameter(
            name="power",
            default=1.0,
            low=-10.0,
            high=10.0,
            per_objective=True,
            description="Exponent of the objective's factor; a negative value counts against a candidate.",
        ),
        Parameter(
            name="shift",
            default=0.0,
            low=0.0,
            high=10.0,
            per_objective=True,
            description="Added to the objective's score before the power; compresses differences of small scores.",
        ),
    )
    direction = "power"
    # Holds if no factor is clipped at the floor.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {
        "scaling": {"shift": 0.0},
        "common_scaling": {"shift": 0.0},
    }

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Scores [N, T], power and shift [..., T] -> fused scores [..., N], positive and finite."""
        power, shift = parameters["power"], parameters["shift"]
        exponent = np.zeros(1)
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            factor = np.maximum(shift[..., None, i] + prepared[..., i], FLOOR)
            exponent = exponent + power[..., None, i] * np.log(factor)
        return np.exp(np.clip(exponent, -LARGEST_EXPONENT, LARGEST_EXPONENT))
