"""Excess risks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions


@WEIGHTINGS.register("excess_mtl")
class ExcessMTL(GradientBalancer):
    """Weight grows with a task's excess risk: what it is above the best it could be. He et al., ICML 2024.

    A task whose labels are noisy has a large loss but little left to learn, and must not rule. The excess is
    ``g' H^-1 g``; the paper takes for H the root of the sum of squared gradients, entry by entry. From the Gramian
    there is one number a task: ``||g_t||^2 / sqrt(sum_s ||g_s||^2)``. It is divided by its first value, and
    ``w_i <- w_i exp(rate excess_i)``, of sum T.
    """

    class Options(GradientOptions):
        """How fast weights move."""

        name: Literal["excess_mtl"] = "excess_mtl"
        rate: float = Field(0.01, gt=0, le=10, description="Step size of the log weights.")

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Create log weights, first excesses and sums of squared norms [T]."""
        zeros = tf.zeros([len(tasks)], tf.float64)
        self._logits, self._first, self._squares = (
            tf.Variable(zeros, trainable=False, name=name) for name in ("logits", "first_excess", "squares")
        )

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] of sum T, this step's excess included."""
        norms = tf.linalg.diag_part(tf.cast(gramian, tf.float64))
        squares = self._squares.assign_add(norms)
        excess = tf.math.divide_no_nan(norms, tf.sqrt(squares))
        first = self._first.assign(tf.where(self._first > 0, self._first, excess))
        relative = tf.minimum(tf.math.divide_no_nan(excess, first), 1e3)
        moved = self._logits + self.options.rate * relative
        logits = self._logits.assign(moved - tf.reduce_max(moved))
        return gramian.shape[0] * tf.nn.softmax(logits)
