"""Score fusion: combines the scores of several objectives into one ranking, by a formula with declared parameters.

``Plan`` has all serving steps: calibration, normalisation within the request, formula, rules, re-ranking. Each formula
is a file that registers itself in ``FUSIONS``; importing it here registers it.
"""

from ranker.fusion.artifact_fusions import DEFAULT, plan_for
from ranker.fusion.base import Floats, FusionError, Invariance, Parameter
from ranker.fusion.build import Fusion, build_fusion
from ranker.fusion.candidates import Candidates
from ranker.fusion.explain import Explanation, explain
from ranker.fusion.formula import FUSIONS, Formula, FormulaOptions
from ranker.fusion.formulas.additive import Additive
from ranker.fusion.formulas.expression import TextFormula
from ranker.fusion.formulas.multiplicative import Multiplicative
from ranker.fusion.formulas.percentile import Percentile
from ranker.fusion.formulas.powered_product import PoweredProduct
from ranker.fusion.formulas.powered_sum import PoweredSum
from ranker.fusion.formulas.rank_bucket import RankBucket
from ranker.fusion.formulas.rank_power import RankPower
from ranker.fusion.formulas.reciprocal_rank import ReciprocalRank
from ranker.fusion.learned.formula import Learned
from ranker.fusion.options import FusionOptions, FusionState, StoredFusion
from ranker.fusion.order import order
from ranker.fusion.plan import Plan, build_plan
from ranker.fusion.ranked import Ranked
from ranker.fusion.requests import Requests

__all__ = [
    "DEFAULT",
    "FUSIONS",
    "Additive",
    "Candidates",
    "Explanation",
    "Floats",
    "Formula",
    "FormulaOptions",
    "Fusion",
    "FusionError",
    "FusionOptions",
    "FusionState",
    "Invariance",
    "Learned",
    "Multiplicative",
    "Parameter",
    "Percentile",
    "Plan",
    "PoweredProduct",
    "PoweredSum",
    "RankBucket",
    "RankPower",
    "Ranked",
    "ReciprocalRank",
    "Requests",
    "StoredFusion",
    "TextFormula",
    "build_fusion",
    "build_plan",
    "explain",
    "order",
    "plan_for",
]
