"""Registry of losses for tasks with ``given:``, by config name; to add one, add a file and a line here."""

from ranker.funnels.base import FUNNELS, Funnel, FunnelOptions
from ranker.funnels.doubly_robust import DoublyRobust
from ranker.funnels.entire_space import EntireSpace, product_logit
from ranker.funnels.inverse_propensity import InversePropensity
from ranker.funnels.masked import Masked

__all__ = [
    "FUNNELS",
    "DoublyRobust",
    "EntireSpace",
    "Funnel",
    "FunnelOptions",
    "InversePropensity",
    "Masked",
    "product_logit",
]
