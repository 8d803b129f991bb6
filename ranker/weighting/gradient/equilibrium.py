"""Weights at a utility equilibrium: Nash-MTL and FairGrad."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.quadratic_programs import power_equilibrium


@WEIGHTINGS.register("nash_mtl")
class NashMTL(GradientBalancer):
    """The Nash bargaining solution, ``G w = 1 / w``. Navon et al., ICML 2022.

    It maximises the product of the tasks' gains, and is invariant to the scale of losses. Solved exactly as the minimum
    of ``w' G w / 2 - sum log w``, where the paper linearises.
    """

    class Options(GradientOptions):
        """No further options."""

        name: Literal["nash_mtl"] = "nash_mtl"

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] > 0; 0 for a task without gradient."""
        return _equilibrium(gramian, power=1.0)


@WEIGHTINGS.register("fairgrad")
class FairGrad(GradientBalancer):
    """alpha-fair gains: ``G w = w ** (-1 / alpha)``. Ban & Ji, ICML 2024.

    alpha = 1 is Nash-MTL's proportional fairness; larger alpha gives more weight to the smallest gain.
    """

    class Options(GradientOptions):
        """Fairness parameter."""

        name: Literal["fairgrad"] = "fairgrad"
        alpha: float = Field(2.0, gt=0, le=100, description="1: proportional; large: max-min fairness.")

    options: Options

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T] > 0; 0 for a task without gradient."""
        return _equilibrium(gramian, power=1.0 / self.options.alpha)


def _equilibrium(gramian: tf.Tensor, power: float) -> tf.Tensor:
    """Solve ``G w = w^-power`` for unit gradients: with norms n and u = n w, ``C u = n^(power - 1) u^-power``."""
    gramian = tf.cast(gramian, tf.float64)
    norms = tf.sqrt(tf.linalg.diag_part(gramian))
    present = norms > 0
    units = tf.where(present, norms, tf.ones_like(norms))
    apart = tf.linalg.diag(tf.where(present, tf.zeros_like(norms), tf.ones_like(norms)))
    unlike = units / tf.reduce_max(units)
    solved = power_equilibrium(gramian / (units[:, None] * units[None, :]) + apart, power, unlike ** (power - 1.0))
    # Dividing all loads by s divides the solution by s^(1 / (1 + power)).
    back = solved * tf.reduce_max(units) ** ((power - 1.0) / (power + 1.0)) / units
    return tf.where(present, back, tf.zeros_like(back))
