"""A smooth NDCG."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, GainOptions, RankLoss, Rows, discount, ideal_dcg, list_weights


@RANK_LOSSES.register("approx_ndcg")
class ApproxNdcg(RankLoss):
    """1 - NDCG with ranks that are sums of sigmoids of score differences. Qin, Liu and Li, Information Retrieval 2010.

    Not convex: a list whose logits are far apart has hardly any gradient. Better as a share of the loss than alone.
    """

    class Options(GainOptions):
        """The gain, and the sharpness of ranks."""

        name: Literal["approx_ndcg"] = "approx_ndcg"
        temperature: float = Field(
            0.1, gt=0, description="Differences of logits are divided by it; lower is nearer to NDCG."
        )

    options: Options

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """``1 - sum(g_i / log2(1 + r_i)) / ideal`` by list, with ``r_i = 1 + sum_j sigmoid((s_j - s_i) / T)``."""
        lists, (first, second) = rows.lists, rows.lists.pairs()
        ahead = tf.sigmoid((tf.gather(rows.logits, second) - tf.gather(rows.logits, first)) / self.options.temperature)
        # A pair of a row with itself adds sigmoid(0) = 1/2, which is taken off again.
        ranks = 0.5 + tf.math.unsorted_segment_sum(ahead, first, tf.size(lists.codes))
        gains = self.options.gains(rows.grades) * rows.weights
        ideal = ideal_dcg(rows, gains, (first, second))
        return 1.0 - tf.math.divide_no_nan(lists.sum(gains * discount(ranks)), ideal), list_weights(rows)
