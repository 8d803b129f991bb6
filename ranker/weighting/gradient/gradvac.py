"""Gradient vaccine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions
from ranker.weighting.projections import in_turn
from ranker.weighting.quadratic_programs import scaled


@WEIGHTINGS.register("gradvac")
class GradVac(GradientBalancer):
    """Aligns each pair of gradients to its running mean cosine. Wang et al., ICLR 2021.

    If the cosine c of two gradients is below its running mean m, a multiple of g_j is added to g_i to raise c to m:
    ``||g_i|| (m sqrt(1 - c^2) - c sqrt(1 - m^2)) / (||g_j|| sqrt(1 - m^2))``. With m fixed at 0 this is PCGrad. As
    there, the result is the mean over all orders of the other tasks, where the paper draws one at random.
    """

    class Options(GradientOptions):
        """Rate of the running means."""

        name: Literal["gradvac"] = "gradvac"
        beta: float = Field(0.01, ge=0, le=1, description="Weight of each new cosine in the running mean.")

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Create the running mean cosines [T, T], initially 0."""
        self._means = tf.Variable(tf.zeros([len(tasks)] * 2, tf.float64), trainable=False, name="cosines")

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T], each at least 1."""
        gramian = scaled(gramian)
        means = self._means.read_value()
        norms = tf.sqrt(tf.linalg.diag_part(gramian))
        lengths = norms[:, None] * norms[None, :]
        cosines = tf.clip_by_value(tf.math.divide_no_nan(gramian, lengths), -1.0, 1.0)

        def change(inner: tf.Tensor, own: tf.Tensor, norm: tf.Tensor, task: int, others: tf.Tensor) -> tf.Tensor:
            cosine = tf.clip_by_value(tf.math.divide_no_nan(inner, own * norm), -1.0, 1.0)
            wanted = tf.clip_by_value(tf.gather(means[task], others), -0.999, 0.999)
            rest = tf.sqrt(1.0 - wanted**2)
            needed = own * (wanted * tf.sqrt(1.0 - cosine**2) - cosine * rest)
            low = (cosine < wanted) & (own * norm > 0)
            return tf.where(low, tf.math.divide_no_nan(needed, norm * rest), tf.zeros_like(inner))

        weights = in_turn(gramian, change)
        share = tf.where(lengths > 0, tf.constant(self.options.beta, tf.float64), 0.0)
        self._means.assign_add(share * (cosines - means))
        return weights
