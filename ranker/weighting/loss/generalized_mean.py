"""Generalised (power) mean of the losses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, LossBalancer, WeightingOptions


@WEIGHTINGS.register("generalized_mean")
class GeneralizedMean(LossBalancer):
    """``(mean_i L_i^gamma)^(1 / gamma)``: 1 is the arithmetic mean, 0 the geometric, +-inf max and min.

    Power mean; Hardy, Littlewood and Polya, "Inequalities", 1934. Above 1 large losses are emphasised, below 1 small
    ones. Computed in log space, so that any gamma is safe. A loss of 0 is ignored.
    """

    class Options(WeightingOptions):
        """Exponent of the mean."""

        name: Literal["generalized_mean"] = "generalized_mean"
        gamma: float | Literal["max", "min"] = Field(
            0.0, description="Exponent: 1 arithmetic, 0 geometric; max and min stand for plus and minus infinity."
        )

    options: Options

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Map losses [T] to their mean."""
        there = losses > 0
        kept = tf.where(there, losses, tf.ones_like(losses))
        count = tf.reduce_sum(tf.cast(there, losses.dtype))
        gamma = self.options.gamma
        if gamma == "max":
            return tf.reduce_max(tf.where(there, losses, tf.zeros_like(losses)))
        if gamma == "min":
            least = tf.reduce_min(tf.where(there, losses, tf.fill(tf.shape(losses), losses.dtype.max)))
            return tf.where(count > 0, least, tf.reduce_sum(losses))
        logs = tf.math.log(kept)
        if gamma == 0:
            mean = tf.math.divide_no_nan(tf.reduce_sum(logs), count)
        else:
            masked = tf.where(there, gamma * logs, tf.fill(tf.shape(logs), logs.dtype.min / 4))
            mean = (tf.reduce_logsumexp(masked) - tf.math.log(tf.maximum(count, 1.0))) / gamma
        return tf.where(count > 0, tf.exp(tf.where(count > 0, mean, tf.zeros_like(mean))), tf.reduce_sum(losses))
