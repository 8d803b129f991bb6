"""Ways to balance tasks, by the config's word."""

from ranker.weighting.base import (
    WEIGHTINGS,
    Balance,
    Evidence,
    GradientBalancer,
    GradientOptions,
    LabelFacts,
    LossBalancer,
    LossWeigher,
    Weighting,
    WeightingOptions,
)
from ranker.weighting.gradient import MGDA, PELTR
from ranker.weighting.loss import Static, Uncertainty

__all__ = [
    "MGDA",
    "PELTR",
    "WEIGHTINGS",
    "Balance",
    "Evidence",
    "GradientBalancer",
    "GradientOptions",
    "LabelFacts",
    "LossBalancer",
    "LossWeigher",
    "Static",
    "Uncertainty",
    "Weighting",
    "WeightingOptions",
]
