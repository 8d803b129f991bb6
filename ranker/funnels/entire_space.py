"""ESMM: conditional tasks trained over all impressions."""

from __future__ import annotations

from typing import Any, Literal

from ranker.funnels.base import FUNNELS, Errors, Funnel, FunnelOptions, mean
from ranker.lazy_tensorflow import tf
from ranker.task_logits import as_columns


@FUNNELS.register("esmm")
class EntireSpace(Funnel):
    """Train conditional tasks on all impressions: pCTCVR = pCTR x pCVR. Ma et al., SIGIR 2018.

    A conditional amount has no such product; it is trained on the rows where its condition holds.
    """

    class Options(FunnelOptions):
        """No options."""

        name: Literal["esmm"] = "esmm"

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Probabilities are trained on all known rows, through the logit of the impression's probability."""
        return [
            mean(errors(task, self._per_impression(logits, task)), self.counted(labels, weights, task))
            for task in range(len(self.tasks))
        ]

    def list_logit(self, logits: list[tf.Tensor], task: int) -> tf.Tensor:
        """That of the impression's probability; for other tasks the task's own."""
        return self.kinds[task].list_logit(as_columns(self._per_impression(logits, task)))

    def counted(self, labels: Any, weights: Any, task: int) -> Any:
        """All rows for a probability; for other tasks, the rows where the condition holds."""
        return weights[:, task] if self.kinds[task].probability else self.within_parent(labels, weights, task)

    def untrained(self, task: int) -> float:
        """1/2 for the task times 1/2 for each condition."""
        return 0.5 ** (1 + len(self.chains[task]))

    def _per_impression(self, logits: list[tf.Tensor], task: int) -> tf.Tensor:
        return self.whole(logits, task) if self.kinds[task].probability else logits[task]

    def whole(self, logits: list[tf.Tensor], task: int) -> tf.Tensor:
        """Logit [B] of the joint probability of a task and all its conditions, per impression."""
        chain = self.chains[task]
        return product_logit([logits[task], *(logits[parent] for parent in chain)]) if chain else logits[task]


def product_logit(logits: list[tf.Tensor]) -> tf.Tensor:
    """Logit [B] of the product of the probabilities with logits ``logits``, each [B], computed in log space."""
    log_product = tf.add_n([tf.math.log_sigmoid(logit) for logit in logits])
    log_product = tf.minimum(log_product, -1e-7)  # keeps log(1 - p) finite in single precision
    # log(1 - exp(x)) without cancellation. Maechler, "Accurately computing log(1 - exp(-|a|))", 2012.
    # Each branch gets a safe argument; otherwise the unused branch's infinite gradient leaks through `where`.
    near_zero = log_product > -0.6931472
    near = tf.where(near_zero, log_product, -0.5)
    far = tf.where(near_zero, -tf.ones_like(log_product), log_product)
    log_rest = tf.where(near_zero, tf.math.log(-tf.math.expm1(near)), tf.math.log1p(-tf.exp(far)))
    return log_product - log_rest
