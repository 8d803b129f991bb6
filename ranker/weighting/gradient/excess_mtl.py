"""ExcessMTL: weights from excess risks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions


@WEIGHTINGS.register("excess_mtl")
class ExcessMTL(GradientBalancer):
    """Weights grow with a task's excess risk, its loss above the optimum. He et al., ICML 2024.

    A task with noisy labels has a large loss but little left to learn, and must not dominate. The excess is
    ``g' H^-1 g``; the paper approximates H by the elementwise root of summed squared gradients. The Gramian gives one
    number per task instead: ``||g_t||^2 / sqrt(sum_s ||g_s||^2)``, summed over steps s. It is divided by its first
    value, and ``w_i <- w_i exp(rate excess_i)``, normalised to sum T.
    """

    class Options(GradientOptions):
        """Step size of the weights."""

        name: Literal["excess_mtl"] = "excess_mtl"
        rate: float = Field(0.01, gt=0, le=10, description="Step size of the log weights.")

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Create log weights, initial excesses and sums of squared norms [T]."""
        zeros = tf.zeros([len(tasks)], tf.float64)
        self._logits, self._first, self._squares = (
            tf.Variable(zeros, trainable=False, name=name) for name in ("logits", "first_excess", "squares")
        )

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] summing to T, updated with this step's excess."""
        norms = tf.linalg.diag_part(tf.cast(gramian, tf.float64))
        squares = self._squares.assign_add(norms)
        excess = tf.math.divide_no_nan(norms, tf.sqrt(squares))
        first = self._first.assign(tf.where(self._first > 0, self._first, excess))
        relative = tf.minimum(tf.math.divide_no_nan(excess, first), 1e3)
        moved = self._logits + self.options.rate * relative
        logits = self._logits.assign(moved - tf.reduce_max(moved))
        return gramian.shape[0] * tf.nn.softmax(logits)
