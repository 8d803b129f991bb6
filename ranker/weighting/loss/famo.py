"""Fast adaptive multitask optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, Evidence, LabelFacts, LossWeigher, WeightingOptions, present


@WEIGHTINGS.register("famo")
class FAMO(LossWeigher):
    """Decreases all log losses at an equal rate without per-task gradients. Liu et al., NeurIPS 2023.

    ``w_i = c z_i / L_i`` with ``z = softmax(xi)``, ``1 / c = sum z_i / L_i``: a step along the mean of the log losses'
    gradients. Then ``xi -= rate (J' (log L - log L') + decay xi)``, where L' are the losses of the same batch after the
    step and J is the Jacobian of softmax: the loss that fell least gains weight. It costs one more forward pass.
    """

    looks_back = True

    class Options(WeightingOptions):
        """Step size and decay of the logits."""

        name: Literal["famo"] = "famo"
        rate: float = Field(0.025, gt=0, description="Step size of the logits.")
        decay: float = Field(0.001, ge=0, description="Decay of the logits to 0, that is, to equal weights.")

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the logits [T] and a buffer for the losses before the step."""
        self._logits = tf.Variable(tf.zeros([len(tasks)]), trainable=False, name="logits")
        self._before = tf.Variable(tf.zeros([len(tasks)]), trainable=False, name="losses_before")

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Weights [T] summing to 1; 0 for a task without labels in the batch."""
        self._before.assign(losses)
        parts = tf.math.divide_no_nan(tf.nn.softmax(self._logits) * present(losses), losses)
        return tf.math.divide_no_nan(parts, tf.reduce_sum(parts))

    def after(self, losses: tf.Tensor) -> None:
        """Update the logits by the decrease of each log loss."""
        there = (self._before > 0) & (losses > 0)
        ratio = tf.where(there, self._before, 1.0) / tf.where(there, losses, 1.0)
        fell, z = tf.math.log(ratio), tf.nn.softmax(self._logits)
        slope = z * (fell - tf.reduce_sum(z * fell))
        self._logits.assign_sub(self.options.rate * (slope + self.options.decay * self._logits))
