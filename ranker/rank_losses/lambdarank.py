"""LambdaRank: pairs weighted by what exchanging them would change NDCG."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import RANK_LOSSES, GainOptions, RankLoss, Rows, list_weights, preferences


@RANK_LOSSES.register("lambdarank")
class LambdaRank(RankLoss):
    """Logistic loss of pairs, weighted by the change of NDCG if the two exchanged their places in the current order.

    Burges, "From RankNet to LambdaRank to LambdaMART", 2010; the loss form is that of Wang et al., CIKM 2018. No
    gradient flows through the weights. They are divided by their sum in each list, so that lists of any length and any
    number of relevant items have the same say, and the loss of tied logits is log 2.
    """

    class Options(GainOptions):
        """The gain, and the places that count."""

        name: Literal["lambdarank"] = "lambdarank"
        at: int | None = Field(
            None, ge=1, description="Only pairs with a row among the first so many places count; all by default."
        )

    options: Options

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean of ``log(1 + exp(-(s_i - s_j)))`` over pairs with y_i > y_j, weighted by ``|dNDCG_ij|``, by list."""
        every = rows.lists.pairs()
        ranks = rows.lists.ranks(tf.stop_gradient(rows.logits), every)
        discounts, gains = 1.0 / _log2(1.0 + ranks), self.options.gains(rows.grades)
        pairs = preferences(rows, every)
        # The ideal DCG, the same for all pairs of a list, cancels out when the weights are divided by their sum.
        delta = _difference(gains, pairs.better, pairs.worse) * _difference(discounts, pairs.better, pairs.worse)
        if self.options.at is not None:
            first = tf.minimum(tf.gather(ranks, pairs.better), tf.gather(ranks, pairs.worse))
            delta *= tf.cast(first <= self.options.at, delta.dtype)
        weights = pairs.weights * delta
        values = tf.math.divide_no_nan(pairs.by_list(rows, weights * pairs.losses), pairs.by_list(rows, weights))
        return values, list_weights(rows)


def _difference(values: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.abs(tf.gather(values, first) - tf.gather(values, second))


def _log2(values: tf.Tensor) -> tf.Tensor:
    return tf.math.log(values) / tf.math.log(2.0)
