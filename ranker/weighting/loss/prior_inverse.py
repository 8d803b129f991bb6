"""Each loss divided by what a constant prediction would have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, LabelFacts, LossBalancer, WeightingOptions, prior_scales


@WEIGHTINGS.register("prior_inverse")
class PriorInverse(LossBalancer):
    """``sum_i L_i / H_i``: H the entropy of a binary label, the variance of a regression's.

    A scaled loss is the share of the label's uncertainty that is left: normalised entropy; He et al., "Practical
    Lessons from Predicting Clicks on Ads at Facebook", ADKDD 2014. Labels of the training rows give H.
    """

    class Options(WeightingOptions):
        """Nothing to set."""

        name: Literal["prior_inverse"] = "prior_inverse"

    @property
    def reads_facts(self) -> bool:
        """Always: the labels' entropies and variances are the weights."""
        return True

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Keep the scales in task order; a label that is always the same gets the weight 0."""
        self._weights = prior_scales(tasks, facts)

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """The sum of the scaled losses [T]."""
        return tf.reduce_sum(tf.constant(self._weights, losses.dtype) * losses)
