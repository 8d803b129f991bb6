"""Additive fusion: a weighted sum of scores."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from ranker.fusion.base import Floats, Invariance, Parameter
from ranker.fusion.formula import FUSIONS, Formula


@FUSIONS.register("additive")
class Additive(Formula):
    """``sum_i share_i (shift_i + p_i)``: the expected value if shares are values of events."""

    parameters = (
        Parameter(
            name="share",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the objective's score; a negative value counts against a candidate.",
        ),
        Parameter(
            name="shift",
            default=0.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            affects_order=False,
            description="Added to the objective's score; the same for all candidates, so it never changes their order.",
        ),
    )
    direction = "share"
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {
        "translation": {},
        "common_scaling": {},
    }

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Scores [N, T], share and shift [..., T] -> fused scores [..., N]."""
        share, shift = parameters["share"], parameters["shift"]
        total = np.zeros(1)
        # One objective at a time: avoids a [..., N, T] temporary per parameter set and, unlike a matrix product,
        # rounds the same for every candidate, so that equal candidates stay tied.
        for i in range(prepared.shape[-1]):
            total = total + share[..., None, i] * prepared[..., i]
        return np.asarray(total + np.sum(share * shift, axis=-1)[..., None], dtype=np.float64)
