"""ESCM2 with doubly robust corrections."""

from __future__ import annotations

from typing import Literal

from ranker.funnels.base import FUNNELS, mean, require_condition
from ranker.funnels.inverse_propensity import CorrectionOptions, InversePropensity
from ranker.heads import ExtraHead
from ranker.lazy_tensorflow import tf
from ranker.schema import Schema


@FUNNELS.register("escm2_dr")
class DoublyRobust(InversePropensity):
    """ESCM2's doubly robust loss: an imputed error everywhere, corrected by propensity where the condition holds.

    Wang et al., SIGIR 2022: mean of ``e' + o (e - e') / p``, plus the imputation's own loss ``o (e - e')^2 / p``. The
    imputed error e' >= 0 comes from one more head for each conditional binary task, which is not served. Only its own
    loss teaches it: in the first term its gradient has mean 0 where p is right, and is wrong where the floor binds.
    So the conditional head's gradient is that of inverse propensities; what is doubly robust is the loss, which
    balancing reads, and the shared layers also learn what errors are to be expected. A conditional amount is
    corrected by propensities alone, since squares of squared errors know no bounds.
    """

    class Options(CorrectionOptions):
        """Nothing more to set."""

        name: Literal["escm2_dr"] = "escm2_dr"

        def check(self, schema: Schema) -> None:
            """Raise ``ValueError`` where no task is conditional."""
            require_condition(schema, self.name)

    @property
    def extra_heads(self) -> tuple[ExtraHead, ...]:
        """One for each conditional binary task."""
        return tuple(ExtraHead(self.tasks[task], "imputation") for task in self._imputed())

    def risk(
        self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, task: int, errors: tf.Tensor
    ) -> tf.Tensor:
        """Mean by weights [B] of the doubly robust error and of the imputation's squared error."""
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
