"""Gradient normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions

_LEAST = 1e-3


@WEIGHTINGS.register("gradnorm")
class GradNorm(GradientBalancer):
    """Learns weights that equalise gradient norms, with larger norms for slower tasks. Chen et al., ICML 2018.

    Minimises ``sum_i |w_i n_i - m r_i^alpha|``, where n are the gradient norms, m is the mean of ``w n``, and r is the
    loss divided by its initial value, relative to the mean over tasks; m and r are held constant. After each step the
    weights take a gradient step, here in units of the mean norm so that ``rate`` does not depend on the losses' scale,
    and are normalised to sum T.
    """

    class Options(GradientOptions):
        """Preference for slow tasks, and step size of the weights."""

        name: Literal["gradnorm"] = "gradnorm"
        alpha: float = Field(1.5, ge=0, le=10, description="0: equal norms; larger values favour slow tasks.")
        rate: float = Field(0.025, gt=0, description="Step size of the weights.")

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Create the weights and initial losses [T]."""
        self._weights = tf.Variable(tf.ones([len(tasks)], tf.float64), trainable=False, name="weights")
        self._first = tf.Variable(tf.zeros([len(tasks)], tf.float64), trainable=False, name="first_losses")

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] summing to T; all 1 at the first step."""
        weights = tf.identity(self._weights.read_value())
        losses = tf.cast(losses, tf.float64)
        norms = tf.sqrt(tf.linalg.diag_part(tf.cast(gramian, tf.float64)))
        there = tf.cast((norms > 0) & (losses > 0), tf.float64)
        first = self._first.assign(tf.where(self._first > 0, self._first, losses))
        ratio = there * tf.math.divide_no_nan(losses, first)
        slowness = tf.math.divide_no_nan(ratio, _mean(ratio, there))
        target = _mean(weights * norms, there) * slowness**self.options.alpha
        slope = there * tf.sign(weights * norms - target) * tf.math.divide_no_nan(norms, _mean(norms, there))
        moved = tf.maximum(weights - self.options.rate * slope, _LEAST)
        self._weights.assign(moved * gramian.shape[0] / tf.reduce_sum(moved))
        return weights


def _mean(values: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(tf.reduce_sum(values * there), tf.reduce_sum(there))
