"""Registry of corrections for position bias, by config name; to add one, add a file and a line here."""

from ranker.position.additive import Additive
from ranker.position.base import POSITION, POSITION_METHODS, PositionFacts, PositionMethod, PositionOptions
from ranker.position.multiplicative import Multiplicative
from ranker.position.propensity import Propensity

__all__ = [
    "POSITION",
    "POSITION_METHODS",
    "Additive",
    "Multiplicative",
    "PositionFacts",
    "PositionMethod",
    "PositionOptions",
    "Propensity",
]
