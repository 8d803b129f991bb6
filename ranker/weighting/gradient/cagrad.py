"""Conflict-averse gradients."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import as_graph, tf
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
        return _conflict_averse(scaled(gramian), self.options.c)


@as_graph
def _conflict_averse(gramian: tf.Tensor, c: float, steps: int = 40) -> tf.Tensor:
    """Weights [T] of the Gramian [T, T], of entries at most 1, by alternating minimisation."""
    tasks = gramian.shape[0]
    even = tf.fill([tasks], tf.constant(1.0 / tasks, tf.float64))
    linear = tf.linalg.matvec(gramian, even)
    square = tf.reduce_sum(even * linear)
    radius = c * tf.sqrt(tf.maximum(square, 0.0))

    def improved(_: tf.Tensor, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        weights = simplex_quadratic(gramian, linear, radius / length + 1e-12)
        squared = tf.reduce_sum(weights * tf.linalg.matvec(gramian, weights))
        return weights, tf.sqrt(tf.maximum(squared, 1e-18))

    start = (even, tf.sqrt(tf.maximum(square, 1e-18)))
    weights, length = tf.while_loop(lambda *_: True, improved, start, maximum_iterations=steps)
    return even + radius / tf.maximum(length, 1e-8) * weights
