"""Plackett-Luce exploration: better candidates are more likely to be next.

Plackett 1975, "The Analysis of Permutations"; Luce 1959, "Individual Choice Behavior".
"""

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, Parameter
from ranker.fusion.exploration.base import EXPLORATIONS, FIRST, MAX_MOVE, Exploration

TEMPERATURE = Parameter(
    name="temperature", default=0.1, low=0.001, high=100.0, per_objective=False,
    description="Temperature of the softmax over relevance: near 0 keeps the order, a large one shuffles.",
)  # fmt: skip


@EXPLORATIONS.register("plackett_luce")
class PlackettLuce(Exploration):
    """Draws each place by a softmax of ``relevance / temperature`` over the candidates that may be next."""

    kind: Literal["plackett_luce"]
    temperature: float = Field(0.1, description=TEMPERATURE.description)

    parameters: ClassVar[tuple[Parameter, ...]] = (TEMPERATURE, FIRST, MAX_MOVE)

    def chances(self, relevance: Floats) -> Floats:
        """``softmax(relevance / temperature)``."""
        odds = np.exp((relevance - relevance[..., :1]) / self.temperature)
        return np.asarray(odds / odds.sum(axis=-1, keepdims=True))
