"""ESCM2 with the doubly robust correction."""

from __future__ import annotations

from typing import Literal

from ranker.funnels.base import FUNNELS, mean, require_condition
from ranker.funnels.inverse_propensity import CorrectionOptions, InversePropensity
from ranker.heads import ExtraHead
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


@FUNNELS.register("escm2_dr")
class DoublyRobust(InversePropensity):
    """ESCM2's doubly robust loss: imputed errors, corrected by propensity where the condition holds.

    Wang et al., SIGIR 2022: mean of ``e' + o (e - e') / p``, plus the imputation loss ``o (e - e')^2 / p``. Each
    conditional binary task has an extra head, not served, for the imputed error e' >= 0. This head is trained by the
    imputation loss only: its gradient in the first term has mean 0 if p is correct, and is wrong where the floor binds.
    The conditional head's gradient is therefore that of inverse propensities, but the loss that balancing methods read
    is doubly robust, and the shared layers also learn to predict errors. Conditional amounts use inverse propensities
    only, since squares of squared errors are unbounded.
    """

    class Options(CorrectionOptions):
        """No further options."""

        name: Literal["escm2_dr"] = "escm2_dr"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` if no task is conditional."""
            require_condition(schema, self.name)

    @property
    def extra_heads(self) -> tuple[ExtraHead, ...]:
        """One per conditional binary task."""
        return tuple(ExtraHead(self.tasks[task], "imputation") for task in self._imputed())

    def risk(
        self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, task: int, errors: tf.Tensor
    ) -> tf.Tensor:
        """Mean, with weights [B], of the doubly robust error plus the imputation's squared error."""
        imputed_tasks = self._imputed()
        if task not in imputed_tasks:
            return super().risk(logits, labels, weights, task, errors)
        imputed = tf.math.softplus(logits[len(self.tasks) + imputed_tasks.index(task)])
        inverse = self.inverse(logits, labels, task)
        guess = tf.stop_gradient(imputed)
        robust = guess + inverse * (errors - guess)
        fit = inverse * (tf.stop_gradient(errors) - imputed) ** 2
        return mean(robust + fit, weights)

    def _imputed(self) -> list[int]:
        chains = enumerate(zip(self.chains, self.kinds, strict=True))
        return [task for task, (chain, kind) in chains if chain and kind.probability]
