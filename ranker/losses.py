"""Labels and logits -> each row's loss."""

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.schema import Binary, Regression


class TaskErrors(tf.keras.layers.Layer):
    """Each row's loss of one task, whether or not its label is known; the funnel says which rows count.

    Binary tasks: cross-entropy from logits. Regressions: squared error or Huber's loss on the transformed label.
    """

    def __init__(self, tasks: list[Binary | Regression]) -> None:
        super().__init__(name="errors")
        self.kinds = tasks
        self.parts = [tfrs.tasks.Ranking(loss=_loss(task)) for task in tasks]

    def call(self, labels: tf.Tensor, logit: tf.Tensor, task: int) -> tf.Tensor:
        """Labels [B, T] and a logit [B] for the label of one task to losses [B]."""
        kind = self.kinds[task]
        target = labels[:, task : task + 1]
        if isinstance(kind, Regression) and kind.transform == "log1p":
            target = tf.math.log1p(target)
        return self.parts[task](target, logit[:, None], compute_metrics=False)


def _loss(task: Binary | Regression) -> tf.keras.losses.Loss:
    reduction = tf.keras.losses.Reduction.NONE
    if isinstance(task, Binary):
        return tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
    if task.loss == "huber":
        return tf.keras.losses.Huber(delta=task.huber_delta, reduction=reduction)
    return tf.keras.losses.MeanSquaredError(reduction=reduction)
