"""Each loss divided by itself."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, LossBalancer, WeightingOptions


@WEIGHTINGS.register("current_inverse")
class CurrentInverse(LossBalancer):
    """``sum_i L_i / stop_gradient(L_i)``: the gradient of the losses' geometric mean, up to its value.

    Geometric loss: Chennupati et al., "MultiNet++", CVPR workshops 2019. No loss' scale matters. A loss of 0, such as
    that of a task without labels in the batch, counts as nothing.
    """

    class Options(WeightingOptions):
        """Nothing to set."""

        name: Literal["current_inverse"] = "current_inverse"

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Losses [T] to a scalar whose gradient is 1 / L_i."""
        return tf.reduce_sum(tf.math.divide_no_nan(losses, tf.stop_gradient(losses)))
