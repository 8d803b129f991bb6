"""ESCM2 with inverse propensities."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.funnels.base import FUNNELS, Errors, FunnelOptions, mean, require_condition
from ranker.funnels.entire_space import EntireSpace
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


class CorrectionOptions(FunnelOptions):
    """Weight of the correction, and how small a propensity may get."""

    correction: float = Field(1.0, ge=0, description="Times the corrected loss of the conditional probability.")
    floor: float = Field(0.02, gt=0, le=1, description="Least propensity: bounds a row's weight at 1 / floor.")


@FUNNELS.register("escm2_ips")
class InversePropensity(EntireSpace):
    """ESMM's loss, plus the conditional one over rows where the condition holds, each weighted by 1 / its probability.

    Wang et al., "ESCM2: Entire Space Counterfactual Multi-Task Model", SIGIR 2022. The propensity is the model's own
    probability of the condition; no gradient passes through it. So weighted, the rows with the condition stand for
    all impressions, and the conditional probability is learnt without the selection's bias.
    """

    class Options(CorrectionOptions):
        """Nothing more to set."""

        name: Literal["escm2_ips"] = "escm2_ips"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` where no task is conditional."""
            require_condition(schema, self.name)

    options: CorrectionOptions

    def __init__(self, schema: Schema, options: CorrectionOptions | None = None) -> None:
        super().__init__(schema, options)

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """ESMM's losses, and for conditional tasks the corrected risk."""
        losses = super().losses(logits, labels, weights, errors)
        for task, chain in enumerate(self.chains):
            if chain:
                # A task is known only where its condition is, so its own weights are all that counts.
                risk = self.risk(logits, labels, weights[:, task], task, errors(task, logits[task]))
                losses[task] = losses[task] + self.options.correction * risk
        return losses

    def risk(
        self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, task: int, errors: tf.Tensor
    ) -> tf.Tensor:
        """Mean by weights [B] of ``o e / p``: condition o, error e [B], propensity p."""
        return mean(self.inverse(logits, labels, task) * errors, weights)

    def inverse(self, logits: list[tf.Tensor], labels: tf.Tensor, task: int) -> tf.Tensor:
        """``o / p`` [B]: 0 where the condition fails, else one over its probability, which is at least the floor."""
        parent = self.chains[task][0]
        p = tf.stop_gradient(tf.sigmoid(self.whole(logits, parent)))
        return labels[:, parent] / tf.maximum(p, self.options.floor)
