"""Swaps of neighbours: a small change of a list that shows what a place is worth.

Joachims, Swaminathan & Schnabel 2017, "Unbiased Learning-to-Rank with Biased Feedback", swap items to measure
the propensities of places.
"""

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, Parameter
from ranker.fusion.exploration.base import EXPLORATIONS, FIRST, MAX_MOVE, Exploration

PROBABILITY = Parameter(
    name="probability", default=0.1, low=0.0, high=1.0, per_objective=False,
    description="Probability, at each place, that the second best candidate takes it.",
)  # fmt: skip


NEIGHBOURS = replace(MAX_MOVE, default=1)


@EXPLORATIONS.register("swap")
class Swap(Exploration):
    """Takes the second of the candidates that may be next with some probability, else the first.

    With a ``max_move`` of 1, the first then takes the following place: neighbours swap.
    """

    kind: Literal["swap"]
    max_move: int = Field(1, description=MAX_MOVE.description)
    probability: float = Field(0.1, description=PROBABILITY.description)

    parameters: ClassVar[tuple[Parameter, ...]] = (PROBABILITY, FIRST, NEIGHBOURS)

    def chances(self, relevance: Floats) -> Floats:
        """``1 - probability`` for the first and ``probability`` for the second; 1 for the first if it is alone."""
        chances = np.zeros(relevance.shape)
        chances[..., 0] = 1.0
        if relevance.shape[-1] > 1:
            chances[..., :2] = 1.0 - self.probability, self.probability
        return chances
