"""Logits -> losses and served scores, following the tasks' conditions (``given:``).

A conditional task is a step down a funnel of any depth: impression -> click -> purchase. In every architecture, its
logit is that of the conditional probability, and its served score is the probability for an impression: the product of
the conditional probabilities along the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from ranker import replicas
from ranker.config.closed import Closed
from ranker.heads import ExtraHead
from ranker.lazy_tensorflow import tf
from ranker.registry import Registry
from ranker.schema import Schema
from ranker.task_logits import as_columns, extra_logits, list_heads

Errors: TypeAlias = Callable[[int, "tf.Tensor"], "tf.Tensor"]
"""Maps a task's index and its logits, [B] or [B, K], to per-row losses [B]."""


class FunnelOptions(Closed):
    """Base options of a funnel; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError`` if the funnel does not support these tasks."""
        del schema


class Funnel:
    """Base of the funnels, which differ in how conditional tasks are trained."""

    Options: ClassVar[type[FunnelOptions]]

    def __init__(self, schema: Schema, options: FunnelOptions | None = None) -> None:
        self.options = options if options is not None else self.Options()
        self.tasks = list(schema.tasks)
        self.kinds = list(schema.tasks.values())
        self.served_heads = (*self.tasks, *extra_logits(schema.tasks))
        self.list_heads = list_heads(schema.tasks)
        self.chains = [[self.tasks.index(parent) for parent in schema.parents(task)] for task in self.tasks]

    @property
    def extra_heads(self) -> tuple[ExtraHead, ...]:
        """Names of heads the architecture must add after the tasks' heads; trained, never served."""
        return ()

    @property
    def heads(self) -> tuple[str, ...]:
        """All heads that the architecture must have: those that are served, the funnel's extra ones, list losses'."""
        return (*self.served_heads, *self.extra_heads, *self.list_heads)

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Scalar loss of each task, from the logits of tasks and extra heads, labels and weights [B, T].

        Logits are [B], or [B, K] of a task with several.

        A weight is a row's weight in one task's loss: 0 where the label is unknown, else 1 unless rows are weighted.
        A loss is the weighted mean of the errors: doubling all weights changes nothing, and a row of weight 2 counts
        as two rows. It is 0 if all weights are 0.
        """
        raise NotImplementedError

    def scores(self, logits: list[tf.Tensor]) -> tf.Tensor:
        """Map T logits, [B] or [B, K], to served scores [B, T] per impression: probabilities, or the label's unit."""
        own = [kind.score(as_columns(logit)) for kind, logit in zip(self.kinds, logits[: len(self.kinds)], strict=True)]
        scores = []
        for score, chain in zip(own, self.chains, strict=True):
            for parent in chain:
                score = score * own[parent]
            scores.append(score)
        return tf.stack(scores, axis=1)

    def list_logit(self, logits: list[tf.Tensor], task: int) -> tf.Tensor:
        """The number [B] whose order within lists a task's list loss learns, on the rows of :meth:`counted`."""
        return self.kinds[task].list_logit(as_columns(logits[task]))

    def counted(self, labels: Any, weights: Any, task: int) -> Any:
        """Row weights [B] of one task's loss, from labels and weights [B, T]; tensors or arrays."""
        return self.within_parent(labels, weights, task)

    def untrained(self, task: int) -> float:
        """Predicted probability of a task if all logits are 0."""
        del task
        return 0.5

    def within_parent(self, labels: Any, weights: Any, task: int) -> Any:
        """Weights [B] of a task, set to 0 where its condition fails."""
        weight = weights[:, task]
        return weight * labels[:, self.chains[task][0]] if self.chains[task] else weight


def mean(errors: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean of errors [B] with weights [B]; 0 if all weights are 0. On several replicas, their share of the mean."""
    return tf.math.divide_no_nan(tf.reduce_sum(errors * weights), replicas.total(tf.reduce_sum(weights)))


def require_condition(schema: Schema, name: str) -> None:
    """Raise ``ValueError`` if no task is conditional."""
    if not any(task.given for task in schema.tasks.values()):
        raise ValueError(
            f"name: {name} corrects tasks with `given`, but there is none: set for example "
            "purchase: {given: click}, or use funnel esmm"
        )


FUNNELS: Registry[type[Funnel]] = Registry("funnel")
