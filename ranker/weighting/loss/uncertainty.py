"""Uncertainty weighting: weights learnt as the tasks' noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, WeightingOptions, present


@WEIGHTINGS.register("uncertainty")
class Uncertainty(LossBalancer):
    """Homoscedastic uncertainty. Kendall, Gal and Cipolla, CVPR 2018.

    With learnt log variance s of a task: ``exp(-s) L + s`` for cross-entropy, ``exp(-s) L / 2 + s / 2`` for squared
    error.
    """

    reads_kinds = True

    class Options(WeightingOptions):
        """Initial variance."""

        name: Literal["uncertainty"] = "uncertainty"
        initial: float = Field(0.0, ge=-10, le=10, description="Initial log variance of every task.")

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the log variances [T]."""
        self.log_variances = tf.Variable(tf.fill([len(tasks)], self.options.initial), name="log_variances")
        self._factors = [task.uncertainty_factor for task in tasks.values()]

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Sum of weighted losses and log variances over tasks with labels in the batch, from losses [T]."""
        s = self.log_variances
        return tf.reduce_sum(tf.constant(self._factors) * (tf.exp(-s) * losses + present(losses) * s))
