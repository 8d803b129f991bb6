"""Softmax cross-entropy over a list."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, GainOptions, RankLoss, Rows, list_weights


@RANK_LOSSES.register("softmax")
class Softmax(RankLoss):
    """Cross-entropy of the softmax of a list's logits with its gains, scaled to sum 1.

    ListNet's top-one probabilities (Cao et al., ICML 2007), with gains as the target: with one click in a list, the log
    probability that a user who picks one of its items picks that one. A bound of MRR and NDCG (Bruch et al., ICTIR
    2019).
    """

    class Options(GainOptions):
        """The gain."""

        name: Literal["softmax"] = "softmax"

    options: Options

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """``-sum(g_i log softmax(s)_i) / sum(g)`` by list; rows count by weight."""
        lists, share = rows.lists, self.options.gains(rows.grades) * rows.weights
        log_shares = rows.logits - lists.of(lists.log_sum_exp(rows.logits))
        return -tf.math.divide_no_nan(lists.sum(share * log_shares), lists.sum(share)), list_weights(rows)
