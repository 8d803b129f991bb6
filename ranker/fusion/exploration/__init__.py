"""Exploration: the last step of a fusion draws the order at random, with known propensities.

Each kind is a file that registers itself in ``EXPLORATIONS``; importing it here registers it.
"""

from ranker.fusion.exploration.base import EXPLORATIONS, Exploration
from ranker.fusion.exploration.draw import Drawn, draw, propensities, uniforms
from ranker.fusion.exploration.kinds.epsilon import Epsilon
from ranker.fusion.exploration.kinds.plackett_luce import PlackettLuce
from ranker.fusion.exploration.kinds.swap import Swap

__all__ = [
    "EXPLORATIONS",
    "Drawn",
    "Epsilon",
    "Exploration",
    "PlackettLuce",
    "Swap",
    "draw",
    "propensities",
    "uniforms",
]
