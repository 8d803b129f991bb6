"""Masking of conditional tasks."""

from __future__ import annotations

from typing import Literal

from ranker.funnels.base import FUNNELS, Errors, Funnel, FunnelOptions, mean
from ranker.lazy_tensorflow import tf


@FUNNELS.register("masked")
class Masked(Funnel):
    """Train conditional tasks only on the rows where their condition holds."""

    class Options(FunnelOptions):
        """No options."""

        name: Literal["masked"] = "masked"

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Each task's loss on known rows where its condition holds."""
        counted = [self.counted(labels, weights, task) for task in range(len(self.tasks))]
        return [mean(errors(task, logits[task]), weight) for task, weight in enumerate(counted)]
