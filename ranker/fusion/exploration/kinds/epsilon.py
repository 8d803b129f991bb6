"""Epsilon-greedy exploration: now and then any candidate is next. Sutton & Barto 2018, chapter 2."""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, Parameter
from ranker.fusion.exploration.base import EXPLORATIONS, FIRST, MAX_MOVE, Exploration

EPSILON = Parameter(
    name="epsilon", default=0.1, low=0.0, high=1.0, per_objective=False,
    description="Probability, at each place, of a candidate drawn uniformly instead of the best one.",
)  # fmt: skip


@EXPLORATIONS.register("epsilon")
class Epsilon(Exploration):
    """Takes the best candidate that may be next; with probability ``epsilon``, any of them alike."""

    kind: Literal["epsilon"]
    epsilon: float = Field(0.1, description=EPSILON.description)

    parameters: ClassVar[tuple[Parameter, ...]] = (EPSILON, FIRST, MAX_MOVE)

    def chances(self, relevance: Floats) -> Floats:
        """``epsilon / M``, and ``1 - epsilon`` more for the first."""
        chances = np.full(relevance.shape, self.epsilon / relevance.shape[-1])
        chances[..., 0] += 1.0 - self.epsilon
        return chances
