"""Registry of losses over the lists of a batch, by config name; to add one, add a file and a line here."""

from ranker.rank_losses.approx_ndcg import ApproxNdcg
from ranker.rank_losses.base import RANK_LOSSES, RankLoss, RankLossOptions, Rows
from ranker.rank_losses.bpr import Bpr
from ranker.rank_losses.jrc import Jrc
from ranker.rank_losses.lambdarank import LambdaRank
from ranker.rank_losses.lists import LISTS, Lists
from ranker.rank_losses.pairwise_logistic import PairwiseLogistic
from ranker.rank_losses.softmax import Softmax

__all__ = [
    "LISTS",
    "RANK_LOSSES",
    "ApproxNdcg",
    "Bpr",
    "Jrc",
    "LambdaRank",
    "Lists",
    "PairwiseLogistic",
    "RankLoss",
    "RankLossOptions",
    "Rows",
    "Softmax",
]
