"""Ways to balance tasks, by the config's word."""

from ranker.weighting.base import (
    WEIGHTINGS,
    Balance,
    GradientBalancer,
    GradientOptions,
    LossBalancer,
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
    "GradientBalancer",
    "GradientOptions",
    "LossBalancer",
    "Static",
    "Uncertainty",
    "Weighting",
    "WeightingOptions",
]
