"""Aligned-MTL: alignment of principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions, per_task
from ranker.weighting.quadratic_programs import scaled

Preference = Annotated[float, Field(ge=0)]


@WEIGHTINGS.register("aligned_mtl")
class AlignedMTL(GradientBalancer):
    """Orthogonal gradients of equal length, that of the smallest principal component. Senushkin et al., CVPR 2023.

    With ``G = V diag(lambda) V'``: weights ``sqrt(lambda_min) V diag(lambda)^-1/2 V' p``, over lambda > 0, where p is
    the preference.
    """

    class Options(GradientOptions):
        """The preference."""

        name: Literal["aligned_mtl"] = "aligned_mtl"
        preference: Preference | dict[str, Preference] = Field(1.0, description="Weight of each aligned task.")

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Put the preferences in task order."""
        self._preference = per_task(self.options.preference, tasks, "preference", default=1.0)

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Weights [T]."""
        values, vectors = tf.linalg.eigh(scaled(gramian))
        kept = values > 1e-10 * tf.reduce_max(values)
        least = tf.reduce_min(tf.where(kept, values, tf.reduce_max(values)))
        inverse = tf.where(kept, tf.sqrt(tf.maximum(least, 0.0)) / tf.sqrt(tf.where(kept, values, 1.0)), 0.0)
        along = tf.linalg.matvec(vectors, tf.constant(self._preference, tf.float64), transpose_a=True)
        return tf.linalg.matvec(vectors, inverse * along)
