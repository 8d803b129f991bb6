"""Fixed weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, ScaledOptions, per_task

Weight = Annotated[float, Field(ge=0)]


@WEIGHTINGS.register("static")
class Static(LossBalancer):
    """``sum_i w_i L_i`` with fixed weights, all 1 by default."""

    class Options(ScaledOptions):
        """Fixed task weights."""

        name: Literal["static"] = "static"
        weights: Weight | dict[str, Weight] = Field(
            1.0, description="One weight for all tasks, or weights by task; default 1."
        )

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Put the weights in task order."""
        weights = per_task(self.options.weights, tasks, "weights", default=1.0)
        self._weights = [w * scale for w, scale in zip(weights, self.options.scales(tasks, facts), strict=True)]

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Weighted sum of losses [T]."""
        return tf.reduce_sum(tf.constant(self._weights, losses.dtype) * losses)
