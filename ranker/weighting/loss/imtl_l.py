"""Impartial learning of losses."""

from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

from ranker.schema import Binary, Regression
from ranker.weighting.base import WEIGHTINGS, LossBalancer, WeightingOptions


@WEIGHTINGS.register("imtl_l")
class IMTLL(LossBalancer):
    """``sum_i exp(s_i) L_i - s_i`` with learnt s: at its optimum every scaled loss is 1. Liu et al., ICLR 2021."""

    class Options(WeightingOptions):
        """Nothing to set."""

        name: Literal["imtl_l"] = "imtl_l"

    def build(self, tasks: Mapping[str, Binary | Regression]) -> None:
        """Create the log scales [T]."""
        self.log_scales = tf.Variable(tf.zeros([len(tasks)]), name="log_scales")

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """The sum over tasks of the scaled losses [T], less the log scales."""
        return tf.reduce_sum(tf.exp(self.log_scales) * losses - self.log_scales)
