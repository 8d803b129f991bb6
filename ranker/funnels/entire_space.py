"""ESMM's training of conditional tasks over all impressions."""

from __future__ import annotations

from typing import Any, Literal

from ranker.funnels.base import FUNNELS, Errors, Funnel, FunnelOptions, mean
from ranker.lazy_tensorflow import tf


@FUNNELS.register("esmm")
class EntireSpace(Funnel):
    """Train conditional tasks on all impressions: pCTCVR = pCTR x pCVR. Ma et al., SIGIR 2018.

    A conditional amount has no product to train through; it learns from the rows where its condition holds.
    """

    class Options(FunnelOptions):
        """Nothing to set."""

        name: Literal["esmm"] = "esmm"

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Probabilities over all rows that count, by the logit of the impression's probability."""
        return [
            mean(
                errors(task, self.whole(logits, task) if kind.probability else logits[task]),
                self.counted(labels, weights, task),
            )
            for task, kind in enumerate(self.kinds)
        ]

    def counted(self, labels: Any, weights: Any, task: int) -> Any:
        """Every row for a probability; the rows where its condition holds for other tasks."""
        return weights[:, task] if self.kinds[task].probability else self.within_parent(labels, weights, task)

    def untrained(self, task: int) -> float:
        """The product of the conditions' halves."""
        return 0.5 ** (1 + len(self.chains[task]))

    def whole(self, logits: list[tf.Tensor], task: int) -> tf.Tensor:
        """Logit [B] of the probability, for an impression, of a task and all its conditions."""
        chain = self.chains[task]
        return product_logit([logits[task], *(logits[parent] for parent in chain)]) if chain else logits[task]


def product_logit(logits: list[tf.Tensor]) -> tf.Tensor:
    """Logit of the product of the probabilities that ``logits``, each [B], stand for, computed in logarithms."""
    log_product = tf.add_n([tf.math.log_sigmoid(logit) for logit in logits])
    log_product = tf.minimum(log_product, -1e-7)  # keeps log(1 - p) finite in single precision
    # log(1 - exp(x)) without cancellation. Maechler, "Accurately computing log(1 - exp(-|a|))", 2012.
    # Each branch gets an argument that is safe for it, or the other's infinite gradient would leak through `where`.
    near_zero = log_product > -0.6931472
    near = tf.where(near_zero, log_product, -0.5)
    far = tf.where(near_zero, -tf.ones_like(log_product), log_product)
    log_rest = tf.where(near_zero, tf.math.log(-tf.math.expm1(near)), tf.math.log1p(-tf.exp(far)))
    return log_product - log_rest
