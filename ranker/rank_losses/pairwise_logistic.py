"""Logistic loss of pairs, each list counting once."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, RankLoss, RankLossOptions, Rows, list_weights, preferences


@RANK_LOSSES.register("pairwise_logistic")
class PairwiseLogistic(RankLoss):
    """Mean over a list's pairs of the cross-entropy of "the higher grade ranks first". RankNet, Burges et al. 2005."""

    class Options(RankLossOptions):
        """No further options."""

        name: Literal["pairwise_logistic"] = "pairwise_logistic"

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean of ``log(1 + exp(-(s_i - s_j)))`` over pairs with y_i > y_j, by list; pairs count by i's weight."""
        pairs = preferences(rows)
        totals = pairs.by_list(rows, pairs.weights * pairs.losses)
        return tf.math.divide_no_nan(totals, pairs.by_list(rows, pairs.weights)), list_weights(rows)
