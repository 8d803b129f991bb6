"""ESCM2 with inverse propensity weighting."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ranker.funnels.base import FUNNELS, Errors, FunnelOptions, mean, require_condition
from ranker.funnels.entire_space import EntireSpace
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


class CorrectionOptions(FunnelOptions):
    """Weight of the correction, and lower bound of propensities."""

    correction: float = Field(1.0, ge=0, description="Weight of the corrected conditional loss.")
    floor: float = Field(0.02, gt=0, le=1, description="Lower bound of propensities; caps row weights at 1 / floor.")


@FUNNELS.register("escm2_ips")
class InversePropensity(EntireSpace):
    """ESMM's loss, plus the conditional loss on rows where the condition holds, weighted by inverse propensity.

    Wang et al., "ESCM2: Entire Space Counterfactual Multi-Task Model", SIGIR 2022. The propensity is the model's own
    probability of the condition, with gradients stopped. With these weights the rows where the condition holds
    represent all impressions, which removes selection bias from the conditional probability.
    """

    class Options(CorrectionOptions):
        """No further options."""

        name: Literal["escm2_ips"] = "escm2_ips"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if no task is conditional."""
            require_condition(schema, self.name)

    options: CorrectionOptions

    def __init__(self, schema: Schema, options: CorrectionOptions | None = None) -> None:
        super().__init__(schema, options)

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """ESMM's losses, plus the corrected risk for conditional tasks."""
        losses = super().losses(logits, labels, weights, errors)
        for task, chain in enumerate(self.chains):
            if chain:
                # A label is known only where its condition is known, so its own weights suffice.
                risk = self.risk(logits, labels, weights[:, task], task, errors(task, logits[task]))
                losses[task] = losses[task] + self.options.correction * risk
        return losses

    def risk(
        self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, task: int, errors: tf.Tensor
    ) -> tf.Tensor:
        """Mean, with weights [B], of ``o e / p``: condition o, error e [B], propensity p."""
        return mean(self.inverse(logits, labels, task) * errors, weights)

    def inverse(self, logits: list[tf.Tensor], labels: tf.Tensor, task: int) -> tf.Tensor:
        """``o / p`` [B]: 0 where the condition fails, else 1 / max(probability, floor)."""
        parent = self.chains[task][0]
        p = tf.stop_gradient(tf.sigmoid(self.whole(logits, parent)))
        return labels[:, parent] / tf.maximum(p, self.options.floor)
