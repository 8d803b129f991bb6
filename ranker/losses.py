"""Labels and logits -> losses of rows, and of lists of rows."""

from collections.abc import Mapping, Sequence

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker.funnels import Funnel
from ranker.rank_losses import LISTS, RankLoss
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


class ListLosses:
    """The list losses of tasks that have one, each mixed with its task's own loss."""

    def __init__(self, funnel: Funnel) -> None:
        self.funnel = funnel
        found = ((task, kind, kind.list_loss()) for task, kind in enumerate(funnel.kinds))
        self._losses = [(task, kind, loss) for task, kind, loss in found if loss is not None]

    def added(
        self,
        losses: Sequence[tf.Tensor],
        logits: Sequence[tf.Tensor],
        labels: tf.Tensor,
        weights: tf.Tensor,
        batch: Mapping[str, tf.Tensor],
    ) -> list[tf.Tensor]:
        """Scalar losses of the T tasks with their list losses; other arguments are those of ``Funnel.losses``.

        Raises ``ValueError`` if a task has a list loss and the batch has no list keys.
        """
        mixed = list(losses)
        for task, kind, loss in self._losses:
            if LISTS not in batch:
                raise ValueError(f"{self.funnel.tasks[task]}: a batch without {LISTS!r} has no list loss")
            counted = self.funnel.counted(labels, weights, task)
            extra = self._extra(logits, task, loss)
            logit, grades = self.funnel.list_logit(list(logits), task), kind.grades(labels[:, task])
            of_lists = loss.loss(batch[LISTS], logit, grades, counted, extra)
            mixed[task] = (1.0 - kind.list_share) * losses[task] + kind.list_share * of_lists
        return mixed

    def _extra(self, logits: Sequence[tf.Tensor], task: int, loss: RankLoss) -> tf.Tensor | None:
        """The output [B] of a loss's further head; those of all losses are the last logits."""
        if loss.extra_head is None:
            return None
        own = [head.task for head in self.funnel.list_heads].index(self.funnel.tasks[task])
        return logits[len(logits) - len(self.funnel.list_heads) + own]


class _RowLoss(tf.keras.losses.Loss):
    """A task's loss in the form ``tfrs.tasks.Ranking`` takes."""

    def __init__(self, task: Task) -> None:
        super().__init__(reduction=tf.keras.losses.Reduction.NONE)
        self.task = task

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Map labels [B, 1] and logits [B, K] to losses [B]."""
        return self.task.losses(y_true[:, 0], y_pred)
