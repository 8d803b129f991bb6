"""Each loss divided by the loss of the best constant prediction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, WeightingOptions, prior_scales


@WEIGHTINGS.register("prior_inverse")
class PriorInverse(LossBalancer):
    """``sum_i L_i / H_i``, where H is the entropy of a binary label or the variance of a regression label.

    The scaled loss is normalised entropy, the fraction of the label's uncertainty that is left; He et al., "Practical
    Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014. H is computed from the training labels.
    """

    class Options(WeightingOptions):
        """No options."""

        name: Literal["prior_inverse"] = "prior_inverse"

    @property
    def reads_facts(self) -> bool:
        """Always: the weights come from the labels' entropies and variances."""
        return True

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Store the scales in task order; a constant label gets weight 0."""
        self._weights = prior_scales(tasks, facts)

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Sum of the scaled losses, from losses [T]."""
        return tf.reduce_sum(tf.constant(self._weights, losses.dtype) * losses)
