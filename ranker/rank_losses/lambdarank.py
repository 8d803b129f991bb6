"""LambdaRank: pairs weighted by what exchanging them would change NDCG."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.rank_losses.base import (
    RANK_LOSSES,
    GainOptions,
    RankLoss,
    Rows,
    discount,
    ideal_dcg,
    list_weights,
    preferences,
)


@RANK_LOSSES.register("lambdarank")
class LambdaRank(RankLoss):
    """Logistic loss of pairs, weighted by the change of NDCG if the two exchanged their places in the current order.

    Burges, "From RankNet to LambdaRank to LambdaMART", 2010; as a loss, Wang et al., CIKM 2018. No gradient flows
    through the weights.
    """

    class Options(GainOptions):
        """The gain, and the places that count."""

        name: Literal["lambdarank"] = "lambdarank"
        at: int | None = Field(
            None, ge=1, description="Only pairs with a row among the first so many places count; all by default."
        )

    options: Options

    def of_lists(self, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Sum of ``|dNDCG_ij| log(1 + exp(-(s_i - s_j)))`` over pairs with y_i > y_j, by list."""
        every = rows.lists.pairs()
        ranks = rows.lists.ranks(tf.stop_gradient(rows.logits), every)
        discounts, gains = discount(ranks), self.options.gains(rows.grades)
        pairs = preferences(rows, every)
        delta = _difference(gains, pairs.better, pairs.worse) * _difference(discounts, pairs.better, pairs.worse)
        if self.options.at is not None:
            first = tf.minimum(tf.gather(ranks, pairs.better), tf.gather(ranks, pairs.worse))
            delta *= tf.cast(first <= self.options.at, delta.dtype)
        relative = tf.math.divide_no_nan(rows.lists.sum(rows.weights), tf.cast(rows.lists.sizes(), rows.weights.dtype))
        sums = pairs.by_list(rows, pairs.weights * delta * pairs.losses)
        return tf.math.divide_no_nan(sums, relative * ideal_dcg(rows, gains, every)), list_weights(rows)


def _difference(values: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    return tf.abs(tf.gather(values, first) - tf.gather(values, second))
