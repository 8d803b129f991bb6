"""ESCM2 with doubly robust corrections."""

from collections.abc import Mapping
from typing import Literal

import tensorflow as tf

from ranker.funnels.base import FUNNELS, mean, require_condition
from ranker.funnels.inverse_propensity import CorrectionOptions, InversePropensity
from ranker.schema import Task


@FUNNELS.register("escm2_dr")
class DoublyRobust(InversePropensity):
    """ESCM2's doubly robust loss: an imputed error everywhere, corrected by propensity where the condition holds.

    Wang et al., SIGIR 2022: mean of ``e' + o (e - e') / p``, plus the imputation's own loss ``o (e - e')^2 / p``. The
    imputed error e' >= 0 comes from one more head for each conditional task, which is not served. Right where
    either the propensity or the imputation is right.
    """

    class Options(CorrectionOptions):
        """Nothing more to set."""

        name: Literal["escm2_dr"] = "escm2_dr"

        def check(self, tasks: Mapping[str, Task]) -> None:
            """Raise ``ValueError`` where no task is conditional."""
            require_condition(tasks, self.name)

    @property
    def extra_heads(self) -> tuple[str, ...]:
        """One for each conditional task."""
        return tuple(f"{task}_imputation" for task, chain in zip(self.tasks, self.chains, strict=True) if chain)

    def risk(
        self, logits: list[tf.Tensor], labels: tf.Tensor, counted: tf.Tensor, task: int, errors: tf.Tensor
    ) -> tf.Tensor:
        """Mean over the counted rows of the doubly robust error and of the imputation's squared error."""
        head = len(self.tasks) + sum(1 for chain in self.chains[:task] if chain)
        imputed = tf.math.softplus(logits[head])
        inverse = self.inverse(logits, labels, task)
        robust = imputed + inverse * (errors - imputed)
        fit = inverse * (tf.stop_gradient(errors) - imputed) ** 2
        return mean(robust + fit, counted)
