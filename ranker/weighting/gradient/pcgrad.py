"""Projecting conflicting gradients."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.projections import in_turn
from ranker.weighting.quadratic_programs import scaled


@WEIGHTINGS.register("pcgrad")
class PCGrad(GradientBalancer):
    """Projects conflicting components out of each gradient in turn, then sums them. Yu et al., NeurIPS 2020.

    The paper draws a random order of the other tasks in each step. This implementation averages over all orders: the
    expected step, without its noise.
    """

    class Options(GradientOptions):
        """No further options."""

        name: Literal["pcgrad"] = "pcgrad"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T], each at least 1."""
        return in_turn(scaled(gramian), _without_conflict)


def _without_conflict(inner: tf.Tensor, own: tf.Tensor, norm: tf.Tensor, task: int, others: tf.Tensor) -> tf.Tensor:
    del own, task, others
    return tf.math.divide_no_nan(tf.nn.relu(-inner), norm**2)
