"""Logits -> losses and served scores, as the tasks' conditions (``given:``) declare.

A task given another is a step down a funnel: impression -> click -> purchase, of any depth. Whatever the
architecture, its logit for such a task is that of the conditional probability, and its served score is that of the
impression: the product of the conditional probabilities along the chain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from ranker.config.closed import Closed
from ranker.heads import ExtraHead
from ranker.lazy_tensorflow import tf
from ranker.registry import Registry
from ranker.schema import Schema

Errors: TypeAlias = Callable[[int, "tf.Tensor"], "tf.Tensor"]
"""A task's number and a logit [B] for its label to each row's loss [B]."""


class FunnelOptions(Closed):
    """Base of the options of a funnel; each adds its ``name`` and parameters."""

    name: str = ""

    def check(self, schema: Schema) -> None:
        """Raise ``ValueError`` where the funnel cannot be had with these tasks."""
        del schema


class Funnel:
    """Base of the funnels, which differ in how a conditional task is trained."""

    Options: ClassVar[type[FunnelOptions]]

    def __init__(self, schema: Schema, options: FunnelOptions | None = None) -> None:
        self.options = options if options is not None else self.Options()
        self.tasks = list(schema.tasks)
        self.kinds = list(schema.tasks.values())
        self.chains = [[self.tasks.index(parent) for parent in schema.parents(task)] for task in self.tasks]

    @property
    def extra_heads(self) -> tuple[ExtraHead, ...]:
        """Names of heads that the architecture must have behind those of the tasks; trained, never served."""
        return ()

    def losses(self, logits: list[tf.Tensor], labels: tf.Tensor, weights: tf.Tensor, errors: Errors) -> list[tf.Tensor]:
        """Each task's loss, a scalar, from the logits [B] of tasks and extra heads, labels and weights [B, T].

        A weight says how much a row counts in a task's own loss: 0 where its label is unknown, and 1 elsewhere unless
        rows are weighted. A loss is the errors' mean by weights: weights that are all doubled change nothing, and a
        row of weight 2 counts as two rows. It is 0 where no row counts.
        """
        raise NotImplementedError

    def scores(self, logits: list[tf.Tensor]) -> tf.Tensor:
        """T logits [B] to served scores [B, T] of an impression: probabilities, and values in their label's unit."""
        own = [kind.score(logit[:, None]) for kind, logit in zip(self.kinds, logits[: len(self.kinds)], strict=True)]
        scores = []
        for score, chain in zip(own, self.chains, strict=True):
            for parent in chain:
                score = score * own[parent]
            scores.append(score)
        return tf.stack(scores, axis=1)

    def counted(self, labels: Any, weights: Any, task: int) -> Any:
        """Weights [B] of rows in a task's loss, from labels and weights [B, T], tensors or arrays."""
        return self.within_parent(labels, weights, task)

    def untrained(self, task: int) -> float:
        """What a task that is a probability is computed to be where every logit is 0."""
        del task
        return 0.5

    def within_parent(self, labels: Any, weights: Any, task: int) -> Any:
        """Weights [B] of a task, 0 where its condition fails."""
        weight = weights[:, task]
        return weight * labels[:, self.chains[task][0]] if self.chains[task] else weight


def mean(errors: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Mean of errors [B] by weights [B]; 0 where all weights are."""
    return tf.math.divide_no_nan(tf.reduce_sum(errors * weights), tf.reduce_sum(weights))


def require_condition(schema: Schema, name: str) -> None:
    """Raise ``ValueError`` where no task is conditional."""
    if not any(task.given for task in schema.tasks.values()):
        raise ValueError(
            f"name: {name} corrects tasks with `given`, and there is none: say for example "
            "purchase: {given: click}, or take funnel esmm"
        )


FUNNELS: Registry[type[Funnel]] = Registry("funnel")
