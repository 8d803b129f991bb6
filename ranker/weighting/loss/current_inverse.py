"""Each loss divided by its current value."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, LossBalancer, WeightingOptions


@WEIGHTINGS.register("current_inverse")
class CurrentInverse(LossBalancer):
    """``sum_i L_i / stop_gradient(L_i)``: the gradient of the geometric mean of losses, up to a factor.

    Geometric loss: Chennupati et al., "MultiNet++", CVPR workshops 2019. It is invariant to the scale of losses. A loss
    of 0, as of a task without labels in the batch, is ignored.
    """

    class Options(WeightingOptions):
        """No options."""

        name: Literal["current_inverse"] = "current_inverse"

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Map losses [T] to a scalar whose gradient is 1 / L_i."""
        return tf.reduce_sum(tf.math.divide_no_nan(losses, tf.stop_gradient(losses)))
