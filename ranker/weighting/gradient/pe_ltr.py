"""Pareto-efficient learning to rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, GradientBalancer, GradientOptions, per_task
from ranker.weighting.min_norm import min_norm, relaxed_min_norm

Bound = Annotated[float, Field(ge=0, le=1)]


@WEIGHTINGS.register("pe_ltr")
class PELTR(GradientBalancer):
    """Weights of minimum gradient norm, ``min ||sum_i w_i grad L_i||^2``, ``sum w = 1``, ``w >= c``. Lin et al. 2019.

    With c = 0 the step increases no task's loss; with c > 0 a task keeps at least its share of every step.
    """

    class Options(GradientOptions):
        """Bounds and solver."""

        name: Literal["pe_ltr"] = "pe_ltr"
        bounds: Bound | dict[str, Bound] = Field(
            0.0, description="Minimum weight of all tasks, or by task name (default 0); the sum must be at most 1."
        )
        solver: Literal["exact", "relaxation"] = Field(
            "exact", description="exact: the optimum. relaxation: the paper's KKT system, then projection."
        )

        def check(self, tasks: Mapping[str, Task]) -> None:
            """Raise ``ValueError`` for an unknown task, or bounds that sum to more than 1."""
            super().check(tasks)
            total = sum(self.in_order(tasks))
            if total > 1 + 1e-9:
                raise ValueError(
                    f"weighting.bounds: the bounds must sum to at most 1, as the weights sum to 1; got {total:g}"
                )

        def in_order(self, tasks: Mapping[str, Task]) -> list[float]:
            """Bounds [T] in task order."""
            return per_task(self.bounds, tasks, "bounds", default=0.0)

    options: Options

    def prepare(self, tasks: Mapping[str, Task]) -> None:
        """Put the bounds in task order."""
        self.options.check(tasks)
        self._bounds = self.options.in_order(tasks)

    def solve(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Minimum-norm weights [T]; 0 for a task without gradient, such as one without labels in the batch."""
        present = tf.linalg.diag_part(gramian) > 0.0  # otherwise a zero gradient would get all the weight
        solve = SOLVERS[self.options.solver]
        return solve(gramian, tf.constant(self._bounds, tf.float64), present)


SOLVERS = {"exact": min_norm, "relaxation": relaxed_min_norm}
