"""Bayesian personalised ranking: logistic loss of pairs, each pair counting once."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, RankLoss, RankLossOptions, Rows, preferences


@RANK_LOSSES.register("bpr")
class Bpr(RankLoss):
    """Mean over all pairs of the batch of the cross-entropy of "the higher grade ranks first".

    Rendle et al., UAI 2009, who draw (user, item, worse item) triples at random from all there are: a list with more
    pairs therefore counts more, unlike in ``pairwise_logistic``. Here no pair is left to chance.
    """

    class Options(RankLossOptions):
        """No further options."""

        name: Literal["bpr"] = "bpr"

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean of ``-log sigmoid(s_i - s_j)`` over pairs with y_i > y_j; lists count by their pairs' weights."""
        pairs = preferences(rows)
        counts = pairs.by_list(rows, pairs.weights)
        return tf.math.divide_no_nan(pairs.by_list(rows, pairs.weights * pairs.losses), counts), counts
