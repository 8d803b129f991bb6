"""Re-ranking: the last steps of a fusion, on its order after rules.

Each step is a file that registers itself in ``STEPS``; importing it here registers it. Diversifiers (``mmr``, ``dpp``)
choose an order, one after the other; then all constraints (``spread``, ``quota``, ``fixed``) hold together.
"""

from ranker.fusion.reranking.base import STEPS, Readable, Request, RerankError, Step
from ranker.fusion.reranking.cost import PLACES, Cost, cost
from ranker.fusion.reranking.run import Reranked, rerank
from ranker.fusion.reranking.steps.dpp import Dpp
from ranker.fusion.reranking.steps.fixed import Fixed
from ranker.fusion.reranking.steps.mmr import Mmr
from ranker.fusion.reranking.steps.quota import Quota
from ranker.fusion.reranking.steps.spread import Spread

__all__ = [
    "PLACES",
    "STEPS",
    "Cost",
    "Dpp",
    "Fixed",
    "Mmr",
    "Quota",
    "Readable",
    "Request",
    "RerankError",
    "Reranked",
    "Spread",
    "Step",
    "cost",
    "rerank",
]
