"""Labels, logits and weights -> one loss a task."""

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.schema import Binary, Regression


class TaskLosses(tf.keras.layers.Layer):
    """Mean loss of each task over the rows that carry its label; 0 for a task no row carries.

    Binary tasks: cross-entropy from logits. Regressions: squared error or Huber's loss on the transformed label.
    """

    def __init__(self, tasks: list[Binary | Regression]) -> None:
        super().__init__(name="losses")
        self.kinds = tasks
        self.parts = [tfrs.tasks.Ranking(loss=_loss(task)) for task in tasks]

    def call(self, labels: tf.Tensor, logits: list[tf.Tensor], weights: tf.Tensor) -> list[tf.Tensor]:
        """Labels [B, T], T logits [B] and row weights [B, T] to T scalars."""
        losses = []
        for i, (kind, part) in enumerate(zip(self.kinds, self.parts, strict=True)):
            target = labels[:, i : i + 1]
            if isinstance(kind, Regression) and kind.transform == "log1p":
                target = tf.math.log1p(target)
            total = part(target, logits[i][:, None], sample_weight=weights[:, i], compute_metrics=False)
            losses.append(tf.math.divide_no_nan(total, tf.reduce_sum(weights[:, i])))
        return losses


def _loss(task: Binary | Regression) -> tf.keras.losses.Loss:
    reduction = tf.keras.losses.Reduction.SUM
    if isinstance(task, Binary):
        return tf.keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
    if task.loss == "huber":
        return tf.keras.losses.Huber(delta=task.huber_delta, reduction=reduction)
    return tf.keras.losses.MeanSquaredError(reduction=reduction)
