"""Each loss divided by its initial value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import (
    WEIGHTINGS,
    Evidence,
    LabelFacts,
    LossWeigher,
    WeightingOptions,
    present,
    untrained_losses,
)


@WEIGHTINGS.register("initial_inverse")
class InitialInverse(LossWeigher):
    """``sum_i L_i / L_i(0)``, so that every task starts at 1. Ratios of Chen et al., "GradNorm", ICML 2018.

    The initial loss is the mean over the first batches; until these are complete, the mean so far. Or it is the
    theoretical loss of an untrained model: log 2 for a binary task (probability 1/2), and the mean of y^2 for
    regression (prediction 0).
    """

    asynchronous = True

    class Options(WeightingOptions):
        """Source of the initial loss."""

        name: Literal["initial_inverse"] = "initial_inverse"
        initial: Literal["measured", "theory"] = "measured"
        batches: int = Field(10, ge=1, le=100_000, description="Number of first batches to average.")

    options: Options

    @property
    def reads_facts(self) -> bool:
        """Whether the initial losses are theoretical."""
        return self.options.initial == "theory"

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the running sums [T] of the means."""
        theory = self.options.initial == "theory"
        start = untrained_losses(tasks, facts) if theory else [0.0] * len(tasks)
        seen = float(self.options.batches) if theory else 0.0
        self._total = tf.Variable([seen * loss for loss in start], trainable=False, name="initial_total")
        self._count = tf.Variable([seen] * len(tasks), trainable=False, name="initial_count")

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Weights [T]: 1 / initial loss; 0 for a task that has had no label yet."""
        measuring = present(losses) * tf.cast(self._count < self.options.batches, losses.dtype)
        total = self._total.assign_add(measuring * losses)
        return tf.math.divide_no_nan(self._count.assign_add(measuring), total)
