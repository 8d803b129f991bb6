"""Inverse propensity weights of clicks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from ranker import replicas
from ranker.encoding.layout import Layout
from ranker.funnels.base import Errors
from ranker.lazy_tensorflow import tf
from ranker.position.base import (
    POSITION_METHODS,
    PositionFacts,
    PositionMethod,
    PositionOptions,
    needs_clicks,
)
from ranker.position.multiplicative import examined
from ranker.tasks import Task

LEAST = 1e-4
"""Least probability of examination, so that its log odds are finite."""


@POSITION_METHODS.register("propensity")
class Propensity(PositionMethod):
    """Weigh each click by ``w = 1 / e_k``, the inverse of how likely its place is examined. Joachims et al., WSDM 2017.

    ``e`` is estimated before training by regression EM (Wang et al., WSDM 2018) and does not change. A row's loss is
    ``w y softplus(-z) + (1 - w y) softplus(z)``, whose mean over examination is the cross-entropy of relevance (Saito
    et al., WSDM 2020). Its second term is negative at clicks; if the sum over a batch is, its sign is changed, so that
    a model cannot lower the loss without end by learning clicks by heart (Lu et al., AISTATS 2020).
    """

    class Options(PositionOptions):
        """Largest weight, and rounds of the estimate."""

        method: Literal["propensity"] = "propensity"
        clip: float = Field(20.0, ge=1, le=1e4, description="Largest weight of a click.")
        rounds: int = Field(100, ge=1, le=5000, description="Trees of the estimate of examination by regression EM.")

        def refused(self, task: Task) -> str | None:
            """Only unconditional clicks are weighed by the examination of their place, and only in a loss of rows."""
            if task.rank_loss is not None:
                return (
                    "has a rank_loss, which does not know that this method weighs clicks; use method: additive or "
                    "multiplicative, which change the logits of both losses"
                )
            return needs_clicks(task)

    options: Options

    def __init__(self, options: PositionOptions, tasks: Mapping[str, Task], layout: Layout) -> None:
        super().__init__(options, tasks, layout)
        shape = (options.positions + 1,)
        self.tables = {
            name: self.add_weight(name=f"propensity_{name}", shape=shape, initializer="ones", trainable=False)
            for name in self.affected
        }

    def start(self, facts: PositionFacts) -> None:
        """Estimate examination from the training rows."""
        for name, table in self.tables.items():
            table.assign(facts.examination(name, self.options.rounds))

    def seen_of(
        self, task: str, logit: tf.Tensor, places: tf.Tensor, batch: Mapping[str, tf.Tensor], training: bool
    ) -> tf.Tensor:
        """The logit [B] of the product with the estimate, which losses of tasks with `given` are of."""
        del batch, training
        chance = tf.clip_by_value(tf.gather(self.tables[task], places), LEAST, 1.0 - 1e-6)
        return examined(logit, tf.math.log(chance) - tf.math.log1p(-chance), places)

    def corrected(
        self,
        logits: Sequence[tf.Tensor],
        places: tf.Tensor,
        batch: Mapping[str, tf.Tensor],
        weights: tf.Tensor,
        errors: Errors,
    ) -> Errors:
        """Errors of served logits and weighed labels for the affected tasks, and the plain ones for the others."""
        names = {index: name for name, index in self.indices.items()}

        def of(task: int, logit: tf.Tensor) -> tf.Tensor:
            if task not in names:
                return errors(task, logit)
            clicks = batch["labels"][:, task] * self.inverse(names[task], places)
            return weighed(logits[task], clicks, weights[:, task])

        return of

    def inverse(self, task: str, places: tf.Tensor) -> tf.Tensor:
        """Weights [B] of clicks at ``places`` [B]."""
        return 1.0 / tf.maximum(tf.gather(self.tables[task], places), 1.0 / self.options.clip)


def weighed(logit: tf.Tensor, clicks: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Errors [B] of logits [B] and weighed clicks [B], 0 or 1 or more, of rows with weights [B]."""
    rest = (1.0 - clicks) * tf.math.softplus(logit)
    rest = tf.where(replicas.total(tf.reduce_sum(weights * rest)) < 0, -rest, rest)
    return clicks * tf.math.softplus(-logit) + rest
