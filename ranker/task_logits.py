"""The heads that tasks have besides their first one: further logits, and what their list losses estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ranker.heads import ExtraHead
from ranker.lazy_tensorflow import tf
from ranker.tasks import Task


def extra_logits(tasks: Mapping[str, Task]) -> tuple[ExtraHead, ...]:
    """Heads of the second and further logits of each task, in order."""
    return tuple(ExtraHead(name, f"logit_{k}") for name, task in tasks.items() for k in range(2, task.logits + 1))


def list_heads(tasks: Mapping[str, Task]) -> tuple[ExtraHead, ...]:
    """Heads of list losses that estimate more than a logit, in the order of tasks; trained, never served."""
    losses = ((name, task.list_loss()) for name, task in tasks.items())
    return tuple(ExtraHead(name, loss.extra_head) for name, loss in losses if loss is not None and loss.extra_head)


def by_task(logits: Sequence[tf.Tensor], tasks: Mapping[str, Task]) -> list[tf.Tensor]:
    """Logits [B] of the heads of tasks, then of :func:`extra_logits`, then any others: [B, K] for tasks of K > 1."""
    found, taken = [], len(tasks)
    for first, task in zip(logits, tasks.values(), strict=False):
        extra = list(logits[taken : taken + task.logits - 1])
        taken += len(extra)
        found.append(tf.stack([first, *extra], axis=1) if extra else first)
    return [*found, *logits[taken:]]


def with_numbers(logits: Sequence[tf.Tensor], numbers: Mapping[int, tf.Tensor]) -> list[tf.Tensor]:
    """Logits by task, with the number [B], or [1] for all rows, of some tasks as a further column [B, K + 1]."""
    found = list(logits)
    for place, number in numbers.items():
        columns = as_columns(logits[place])
        found[place] = tf.concat([columns, (tf.zeros_like(columns[:, 0]) + number)[:, None]], axis=1)
    return found


def shifted(logits: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Logits of a task with one, [B], or [B, 2] with the number that it reads, with a shift [B] of the logit."""
    if len(logits.shape) == 1:
        return logits + shift
    return tf.concat([logits[:, :1] + shift[:, None], logits[:, 1:]], axis=1)


def as_columns(logits: tf.Tensor) -> tf.Tensor:
    """The logits of one task, [B] or [B, K], as [B, K]."""
    return logits[:, None] if len(logits.shape) == 1 else logits
