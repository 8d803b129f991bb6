"""Labels and logits -> each row's loss."""

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.schema import Binary, Regression


class TaskErrors(tf.keras.layers.Layer):
    """Each row's loss of one task, whether or not its label is known; the funnel says which rows count.

    Binary tasks: cross-entropy from logits. Regressions: squared error or Huber's loss on the transformed label, or
    weighted logistic regression (Covington, Adams and Sargin, RecSys 2016): a label y is y positives and n negatives,
    so cross-entropy for the target ``y / (y + n)`` in a row that weighs ``y + n``. The odds of least loss are
    ``E[y] / E[n]``: with a negative in every row they are the mean label.
    """

    def __init__(self, tasks: list[Binary | Regression]) -> None:
        super().__init__(name="errors")
        self.kinds = tasks
        self.parts = [tfrs.tasks.Ranking(loss=_loss(task)) for task in tasks]

    def call(self, labels: tf.Tensor, logit: tf.Tensor, task: int) -> tf.Tensor:
        """Labels [B, T] and a logit [B] for the label of one task to losses [B]."""
        kind = self.kinds[task]
        target = labels[:, task : task + 1]
        if isinstance(kind, Regression):
            if kind.weighted_logistic:
                target = target / (target + _negatives(kind, target))
            elif kind.transform == "log1p":
                target = tf.math.log1p(target)
        return self.parts[task](target, logit[:, None], compute_metrics=False)

    def row_weights(self, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Weights [B, T] of labels [B, T] in their tasks' losses: known or not, and how often a row counts."""
        if not any(isinstance(kind, Regression) and kind.weighted_logistic for kind in self.kinds):
            return known
        counts = [
            labels[:, task] + _negatives(kind, labels[:, task])
            if isinstance(kind, Regression) and kind.weighted_logistic
            else tf.ones_like(labels[:, task])
            for task, kind in enumerate(self.kinds)
        ]
        return known * tf.stack(counts, axis=1)


def _negatives(kind: Regression, labels: tf.Tensor) -> tf.Tensor:
    """How often rows count as negatives of a weighted logistic regression, in the labels' shape."""
    return tf.ones_like(labels) if kind.negatives == "every_row" else tf.cast(labels == 0, labels.dtype)


def _loss(task: Binary | Regression) -> tf.keras.losses.Loss:
    reduction = tf.keras.losses.Reduction.NONE
    if isinstance(task, Binary) or task.weighted_logistic:
        return tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
    if task.loss == "huber":
        return tf.keras.losses.Huber(delta=task.huber_delta, reduction=reduction)
    return tf.keras.losses.MeanSquaredError(reduction=reduction)
