"""Labels and logits -> per-row losses."""

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.task_logits import as_columns
from ranker.tasks import Task


class TaskErrors(tf.keras.layers.Layer):
    """Per-row loss of one task, computed for known and unknown labels; the funnel selects the rows that count."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(name="errors")
        self.kinds = list(tasks)
        self.parts = [tfrs.tasks.Ranking(loss=_RowLoss(task)) for task in tasks]

    def call(self, labels: tf.Tensor, logit: tf.Tensor, task: int) -> tf.Tensor:
        """Map labels [B, T] and one task's logits, [B] or [B, K], to losses [B]."""
        return self.parts[task](labels[:, task : task + 1], as_columns(logit), compute_metrics=False)

    def row_weights(self, labels: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        """Weights [B, T] of labels [B, T] in the tasks' losses: 0 if unknown, else the number of rows it counts as."""
        counts = [kind.loss_weights(labels[:, task]) for task, kind in enumerate(self.kinds)]
        if all(count is None for count in counts):
            return known
        ones = tf.ones_like(labels[:, 0])
        return known * tf.stack([ones if count is None else count for count in counts], axis=1)


class _RowLoss(tf.keras.losses.Loss):
    """A task's loss in the form ``tfrs.tasks.Ranking`` takes."""

    def __init__(self, task: Task) -> None:
        super().__init__(reduction=tf.keras.losses.Reduction.NONE)
        self.task = task

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Map labels [B, 1] and logits [B, K] to losses [B]."""
        return self.task.losses(y_true[:, 0], y_pred)
