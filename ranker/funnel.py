"""Logits -> what losses see and what is served, as the tasks' conditions (``given:``) declare.

A task given another is a step down a funnel: impression -> click -> purchase, of any depth. Whatever the
architecture, its logit for such a task is that of the conditional probability, and its served score is that of the
impression: the product of the conditional probabilities along the chain.
"""

import tensorflow as tf

from ranker.registry import Registry
from ranker.schema import Binary, Regression, Schema


class Funnel:
    """Base of the funnels, which differ in how a conditional task is trained."""

    def __init__(self, schema: Schema) -> None:
        self.tasks = list(schema.tasks)
        self.kinds = list(schema.tasks.values())
        self.chains = [[self.tasks.index(parent) for parent in schema.parents(task)] for task in self.tasks]

    def trained(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """T logits [B] to those of what each task's loss compares with its label."""
        raise NotImplementedError

    def weights(self, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Weight [B, T] of each row in each task's loss, from labels [B, T] and whether they are known [B, T]."""
        raise NotImplementedError

    def scores(self, logits: list[tf.Tensor]) -> tf.Tensor:
        """T logits [B] to served scores [B, T] of an impression: probabilities, and values in a regression's unit."""
        own = [_value(kind, logit) for kind, logit in zip(self.kinds, logits, strict=True)]
        scores = []
        for score, chain in zip(own, self.chains, strict=True):
            for parent in chain:
                score = score * own[parent]
            scores.append(score)
        return tf.stack(scores, axis=1)

    def _within_parent(self, labels: tf.Tensor, known: tf.Tensor, task: int) -> tf.Tensor:
        weight = known[:, task]
        return weight * labels[:, self.chains[task][0]] if self.chains[task] else weight


def _value(kind: Binary | Regression, logit: tf.Tensor) -> tf.Tensor:
    if isinstance(kind, Binary):
        return tf.sigmoid(logit)
    return tf.exp(tf.nn.relu(logit)) - 1.0 if kind.transform == "log1p" else logit


FUNNELS: Registry[type[Funnel]] = Registry("funnel")


@FUNNELS.register("esmm")
class EntireSpace(Funnel):
    """Train conditional tasks on all impressions: pCTCVR = pCTR x pCVR. Ma et al., SIGIR 2018.

    A conditional regression has no product to train through; it learns from the rows where its condition holds.
    """

    def trained(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """Logits [B] of the impression's probability."""
        trained = list(logits)
        for task, chain in enumerate(self.chains):
            if chain and isinstance(self.kinds[task], Binary):
                trained[task] = product_logit([logits[task], *(logits[parent] for parent in chain)])
        return trained

    def weights(self, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Every known row counts for a binary task, rows where the condition holds for a regression."""
        columns = [
            known[:, task] if isinstance(kind, Binary) else self._within_parent(labels, known, task)
            for task, kind in enumerate(self.kinds)
        ]
        return tf.stack(columns, axis=1)


@FUNNELS.register("masked")
class Masked(Funnel):
    """Train conditional tasks on the rows where their condition holds, and on no others."""

    def trained(self, logits: list[tf.Tensor]) -> list[tf.Tensor]:
        """Logits [B] as they are: of the conditional probability."""
        return logits

    def weights(self, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Known rows where the condition holds."""
        return tf.stack([self._within_parent(labels, known, task) for task in range(len(self.tasks))], axis=1)


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
