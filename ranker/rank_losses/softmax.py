"""Softmax cross-entropy over a list."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, RankLoss, RankLossOptions, Rows, list_weights


@RANK_LOSSES.register("softmax")
class Softmax(RankLoss):
    """Cross-entropy of the softmax of a list's logits with its grades, scaled to sum 1.

    ListNet's top-one probabilities (Cao et al., ICML 2007), with the grades themselves as the target: with one click in
    a list, the log probability that a user who picks one of its items picks that one. A bound of MRR and NDCG (Bruch et
    al., ICTIR 2019).
    """

    class Options(RankLossOptions):
        """No further options."""

        name: Literal["softmax"] = "softmax"

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """``-sum(y_i log softmax(s)_i) / sum(y)`` by list; rows count by weight."""
        lists, share = rows.lists, rows.grades * rows.weights
        log_shares = rows.logits - lists.of(lists.log_sum_exp(rows.logits))
        return -tf.math.divide_no_nan(lists.sum(share * log_shares), lists.sum(share)), list_weights(rows)
