"""Gradients of several losses through a shared trunk, computed as often as a balancing method needs and no more."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ranker.weighting import Balance


class TaskGradients:
    """What one step can ask of its tapes: the tasks' Gramian, then the gradients that a balance makes.

    The forward pass has two parts. ``trunk_tape`` recorded variables -> trunk outputs; ``head_tape``, persistent,
    recorded trunk outputs -> losses. A head lies on the path of its own loss only, so that one backward pass per
    task through the heads costs as much as one pass for all tasks; the trunk is passed once, whatever T is, unless
    the gradients of shared variables themselves are compared. ``penalties`` are scalars of the trunk's pass,
    ``head_penalties`` scalars of the heads', that are added to the objective as they are.
    """

    def __init__(
        self,
        trunk_tape: tf.GradientTape,
        head_tape: tf.GradientTape,
        losses: Sequence[tf.Tensor],
        trunk: Sequence[tf.Tensor],
        shared: Sequence[tf.Variable],
        heads: Sequence[tf.Variable],
        compared: Sequence[tf.Variable] = (),
        penalties: Sequence[tf.Tensor] = (),
        head_penalties: Sequence[tf.Tensor] = (),
    ) -> None:
        self._penalties, self._head_penalties = list(penalties), list(head_penalties)
        self._trunk_tape, self._head_tape = trunk_tape, head_tape
        self._losses, self._trunk = list(losses), list(trunk)
        self._shared, self._heads, self._compared = list(shared), list(heads), list(compared)
        self._by_task: list[list[Any]] | None = None

    def gramian(self) -> tf.Tensor:
        """Inner products [T, T] of the tasks' gradients of the trunk's outputs, or of ``compared`` if it has any.

        With ``compared`` the trunk tape must be persistent, and is passed T times.
        """
        if self._compared:
            gradients = [_filled(task, self._compared) for task in self.by_task(self._compared)]
        else:
            gradients = [_filled(task[: len(self._trunk)], self._trunk) for task in self._split_by_task()]
        rows = [tf.stack([tf.reshape(g, [-1]) for g in column]) for column in zip(*gradients, strict=True)]
        return tf.add_n([tf.linalg.matmul(row, row, transpose_b=True) for row in rows])

    def combined(self, balance: Balance) -> tuple[list[Any], list[Any]]:
        """Gradients of the shared and of the heads' variables, ``None`` where no loss reaches one."""
        sources, first = [*self._trunk, *self._heads], len(self._trunk)
        ones = [tf.ones_like(penalty) for penalty in self._head_penalties]
        if self._by_task is None and balance.shared is balance.heads:  # one pass serves all tasks
            targets, seeds = [*self._losses, *self._head_penalties], [*tf.unstack(balance.shared), *ones]
            both = self._head_tape.gradient(targets, sources, output_gradients=seeds)
        else:
            by_task = self._split_by_task()
            both = [
                *_weighted([task[:first] for task in by_task], balance.shared),
                *_weighted([task[first:] for task in by_task], balance.heads),
            ]
            if ones:
                extra = self._head_tape.gradient(self._head_penalties, sources, output_gradients=ones)
                both = _weighted([both, extra], tf.ones([2]))
        trunk, heads = both[:first], both[first:]
        seeds = [*_filled(trunk, self._trunk), *(tf.ones_like(penalty) for penalty in self._penalties)]
        outputs = [*self._trunk, *self._penalties]
        return self._trunk_tape.gradient(outputs, self._shared, output_gradients=seeds), heads

    def by_task(self, variables: Sequence[tf.Variable]) -> list[list[Any]]:
        """Each task's own gradients of shared variables, ``None`` where its loss does not reach one.

        Without penalties and unweighted. The trunk tape must be persistent, and is passed T times.
        """
        return [self._through_trunk(task[: len(self._trunk)], (), variables) for task in self._split_by_task()]

    def of_penalties(self, variables: Sequence[tf.Variable]) -> list[Any]:
        """Gradients of all penalties together, ``None`` where none reaches a variable; the trunk tape as above."""
        seeds: list[Any] = [None] * len(self._trunk)
        if self._head_penalties:
            seeds = self._head_tape.gradient(self._head_penalties, self._trunk)
        return self._through_trunk(seeds, self._penalties, variables)

    def _through_trunk(
        self, seeds: Sequence[Any], penalties: Sequence[tf.Tensor], variables: Sequence[tf.Variable]
    ) -> list[Any]:
        reached = [(output, seed) for output, seed in zip(self._trunk, seeds, strict=True) if seed is not None]
        outputs = [*(output for output, _ in reached), *penalties]
        ones = [tf.ones_like(penalty) for penalty in penalties]
        if not outputs:
            return [None] * len(variables)
        gradients: list[Any] = self._trunk_tape.gradient(
            outputs, list(variables), output_gradients=[*(seed for _, seed in reached), *ones]
        )
        return gradients

    def _split_by_task(self) -> list[list[Any]]:
        if self._by_task is None:
            sources = [*self._trunk, *self._heads]
            self._by_task = [self._head_tape.gradient(loss, sources) for loss in self._losses]
        return self._by_task


def _filled(gradients: Sequence[Any], like: Sequence[Any]) -> list[tf.Tensor]:
    return [tf.zeros_like(x) if g is None else g for g, x in zip(gradients, like, strict=True)]


def _weighted(by_task: Sequence[Sequence[Any]], weights: tf.Tensor) -> list[Any]:
    """Sum over tasks of weights [T] times gradients, without multiplying what is not there."""
    combined = []
    for column in zip(*by_task, strict=True):
        parts = [weights[i] * gradient for i, gradient in enumerate(column) if gradient is not None]
        combined.append(tf.add_n(parts) if parts else None)
    return combined
