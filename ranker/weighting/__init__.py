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
from ranker.weighting.tape import BalancedGradients, BalancedStep, BalancingTape

__all__ = [
    "MGDA",
    "PELTR",
    "WEIGHTINGS",
    "Balance",
    "BalancedGradients",
    "BalancedStep",
    "BalancingTape",
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
