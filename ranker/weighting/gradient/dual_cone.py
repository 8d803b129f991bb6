"""Projections onto the dual cone, the directions that conflict with no task: UPGrad and DualProj."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.quadratic_programs import bounded_least_norm, scaled


@WEIGHTINGS.register("upgrad")
class UPGrad(GradientBalancer):
    """The mean of the gradients after projecting each onto the dual cone. Quinton & Rey, 2024, arXiv 2406.16232.

    The projection of ``J' u`` is ``J' v`` with ``v = argmin v' G v, v >= u``; here u runs over the unit vectors.
    The step conflicts with no task.
    """

    class Options(GradientOptions):
        """No further options."""

        name: Literal["upgrad"] = "upgrad"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T], each at least 1 / T."""
        units = tf.eye(gramian.shape[0], dtype=tf.float64)
        return tf.reduce_mean(bounded_least_norm(scaled(gramian), units), axis=0)


@WEIGHTINGS.register("dualproj")
class DualProj(GradientBalancer):
    """The mean gradient projected onto the dual cone. Lopez-Paz & Ranzato, "GEM", NeurIPS 2017.

    The direction nearest to the mean that conflicts with no task: ``v = argmin v' G v, v >= 1 / T``.
    """

    class Options(GradientOptions):
        """No further options."""

        name: Literal["dualproj"] = "dualproj"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T], each at least 1 / T."""
        tasks = gramian.shape[0]
        even = tf.fill([tasks], tf.constant(1.0 / tasks, tf.float64))
        return bounded_least_norm(scaled(gramian), even)
