"""A smooth maximum of the losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, ScaledOptions, per_task
from ranker.weighting.scaling import unlike

_NEVER = -1e9
Preference = Annotated[float, Field(gt=0)]
Ideal = Annotated[float, Field(ge=0)]


@WEIGHTINGS.register("smooth_tchebycheff")
class SmoothTchebycheff(LossBalancer):
    """``mu log sum_i exp(lambda_i (L_i - z_i) / mu)``. Lin et al., "Smooth Tchebycheff Scalarization", ICML 2024.

    Every Pareto-optimal point minimises it for some preference, which does not hold for a weighted sum. Smaller mu is
    closer to the maximum.
    """

    class Options(ScaledOptions):
        """Preferences, the ideal losses, smoothness."""

        name: Literal["smooth_tchebycheff"] = "smooth_tchebycheff"
        preference: Preference | dict[str, Preference] = Field(1.0, description="Weight of each task's excess loss.")
        ideal: Ideal | dict[str, Ideal] = Field(0.0, description="Loss of each task when trained alone.")
        mu: float = Field(0.1, gt=0, description="Smoothness, in the unit of the losses.")

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Put preferences and ideals in task order."""
        self._preference = per_task(self.options.preference, tasks, "preference", default=1.0)
        self._ideal = per_task(self.options.ideal, tasks, "ideal", default=0.0)
        self._scales = self.options.scales(tasks, facts)

    def cautions(self, tasks: Mapping[str, Task], facts: LabelFacts) -> list[str]:
        """Warn if one loss is so large that it always is the maximum."""
        return unlike(self.options, tasks, facts)

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Map losses [T] to their smooth maximum over tasks with labels in the batch."""
        scaled = tf.constant(self._scales, losses.dtype) * losses
        excess = tf.constant(self._preference, losses.dtype) * (scaled - tf.constant(self._ideal, losses.dtype))
        return self.options.mu * tf.reduce_logsumexp(tf.where(losses > 0, excess / self.options.mu, _NEVER))
