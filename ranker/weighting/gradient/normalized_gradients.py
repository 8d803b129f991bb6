"""Gradients normalised to unit length."""

from __future__ import annotations

from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions


@WEIGHTINGS.register("normalized_gradients")
class NormalizedGradients(GradientBalancer):
    """``sum_i g_i / ||g_i||``: invariant to scaling and shifting a loss. Zero gradients are left out."""

    class Options(GradientOptions):
        """No further options."""

        name: Literal["normalized_gradients"] = "normalized_gradients"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T]: 1 / gradient norm."""
        norms = tf.sqrt(tf.linalg.diag_part(tf.cast(gramian, tf.float64)))
        return tf.math.divide_no_nan(tf.ones_like(norms), norms)
