"""Score fusion: the scores of several objectives -> one ranking score, by a formula with declared parameters.

A formula is a file of its own that registers itself in ``FUSIONS``; importing it here is what makes it known.
"""

from ranker.fusion.additive import Additive
from ranker.fusion.base import FUSIONS, Formula, FusionError, Invariance, Parameter
from ranker.fusion.build import Fusion, build_fusion
from ranker.fusion.multiplicative import Multiplicative
from ranker.fusion.order import order
from ranker.fusion.rank_bucket import RankBucket

__all__ = [
    "FUSIONS",
    "Additive",
    "Formula",
    "Fusion",
    "FusionError",
    "Invariance",
    "Multiplicative",
    "Parameter",
    "RankBucket",
    "build_fusion",
    "order",
]
