"""IMTL-L: impartial losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, WeightingOptions, present


@WEIGHTINGS.register("imtl_l")
class IMTLL(LossBalancer):
    """``sum_i exp(s_i) L_i - s_i`` with learnt s: at its optimum every scaled loss is 1. Liu et al., ICLR 2021."""

    class Options(WeightingOptions):
        """No options."""

        name: Literal["imtl_l"] = "imtl_l"

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the log scales [T]."""
        self.log_scales = tf.Variable(tf.zeros([len(tasks)]), name="log_scales")

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Sum of scaled losses minus log scales, over tasks with labels in the batch, from losses [T]."""
        return tf.reduce_sum(tf.exp(self.log_scales) * losses - present(losses) * self.log_scales)
