"""Ways to balance tasks, by the config's word."""

from ranker.weighting.base import (
    WEIGHTINGS,
    Balance,
    GradientBalancer,
    LossBalancer,
    Weighting,
    WeightingOptions,
)
from ranker.weighting.gradient import PELTR
from ranker.weighting.loss import Static, Uncertainty

__all__ = [
    "PELTR",
    "WEIGHTINGS",
    "Balance",
    "GradientBalancer",
    "LossBalancer",
    "Static",
    "Uncertainty",
    "Weighting",
    "WeightingOptions",
]
