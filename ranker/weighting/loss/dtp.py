"""Dynamic task prioritisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ranker.lazy_tensorflow import tf
from ranker.tasks import Task
from ranker.weighting.base import WEIGHTINGS, Evidence, LabelFacts, ScaledOptions, per_task, present
from ranker.weighting.scaling import ScaledWeigher

Focus = Annotated[float, Field(ge=0, le=10)]
_SURE = 1e-4


@WEIGHTINGS.register("dtp")
class DTP(ScaledWeigher):
    """``w_i = -(1 - k_i)^gamma_i log k_i``: worse tasks get larger weights. Guo et al., ECCV 2018.

    k, between 0 and 1, is a running mean of the task's quality on batches: its AUC (for regression the fraction of
    concordant pairs), or exp(-loss), the likelihood of a row. Tasks without labels in a batch keep theirs.
    """

    asynchronous = True

    class Options(ScaledOptions):
        """Quality measure and focus."""

        name: Literal["dtp"] = "dtp"
        kpi: Literal["auc", "likelihood"] = "auc"
        gamma: Focus | dict[str, Focus] = Field(1.0, description="Focusing exponent; with 0 the weight is -log k.")
        momentum: float = Field(0.99, ge=0, lt=1, description="Momentum of the running mean of k.")

    options: Options

    def build(self, tasks: Mapping[str, Task], facts: LabelFacts | None = None) -> None:
        """Create the running means [T], initially 1/2 (chance level)."""
        self._gamma = per_task(self.options.gamma, tasks, "gamma", default=1.0)
        self._scales = self.options.scales(tasks, facts)
        self._kpi = tf.Variable(tf.fill([len(tasks)], 0.5), trainable=False, name="kpi")

    def weights(self, losses: tf.Tensor, evidence: Evidence) -> tf.Tensor:
        """Weights [T] >= 0."""
        measured = KPIS[self.options.kpi](losses, evidence)
        defined = tf.math.is_finite(measured)  # a batch without positives has no AUC
        measured = tf.where(defined, measured, self._kpi)
        share = (1.0 - self.options.momentum) * present(losses)
        k = tf.clip_by_value(self._kpi.assign_add(share * (measured - self._kpi)), _SURE, 1.0 - _SURE)
        focal = -((1.0 - k) ** tf.constant(self._gamma, losses.dtype)) * tf.math.log(k)
        return focal * tf.constant(self._scales, losses.dtype)


def _auc(_: tf.Tensor, evidence: Evidence) -> tf.Tensor:
    return evidence.quality()


def _likelihood(losses: tf.Tensor, _: Evidence) -> tf.Tensor:
    return tf.exp(-losses)


KPIS = {"auc": _auc, "likelihood": _likelihood}
