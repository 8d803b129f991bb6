"""Conflict-averse gradients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.quadratic_programs import scaled, simplex_quadratic


@WEIGHTINGS.register("cagrad")
class CAGrad(GradientBalancer):
    """The direction near the mean gradient g0 that most improves the worst-off task. Liu et al., NeurIPS 2021.

    ``max_d min_i <g_i, d>`` subject to ``||d - g0|| <= c ||g0||``. Its dual over the simplex,
    ``min_w g_w' g0 + c ||g0|| ||g_w||``, is solved by alternating minimisation: the norm is the minimum over t of
    ``(norm^2 / t + t) / 2``, which leaves a quadratic programme. The step is ``g0 + c ||g0|| g_w / ||g_w||``.
    """

    class Options(GradientOptions):
        """Maximum distance from the mean gradient."""

        name: Literal["cagrad"] = "cagrad"
        c: float = Field(0.4, ge=0, lt=1, description="Radius around the mean gradient; 0: the mean itself.")

    options: Options

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T]: 1 / T plus the extra weight of the worst-off tasks."""
        gramian, tasks = scaled(gramian), gramian.shape[0]
        even = tf.fill([tasks], tf.constant(1.0 / tasks, tf.float64))
        linear = tf.linalg.matvec(gramian, even)
        radius = self.options.c * tf.sqrt(tf.maximum(tf.reduce_sum(even * linear), 0.0))
        length = tf.sqrt(tf.maximum(tf.reduce_sum(even * linear), 1e-18))
        weights = even
        for _ in range(40):
            weights = simplex_quadratic(gramian, linear, radius / length + 1e-12)
            length = tf.sqrt(tf.maximum(tf.reduce_sum(weights * tf.linalg.matvec(gramian, weights)), 1e-18))
        return even + radius / tf.maximum(length, 1e-8) * weights
