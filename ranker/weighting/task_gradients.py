"""Gradients of several losses through a shared trunk, computed as often as a balancing method needs and no more."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ranker.weighting.base import Balance
from ranker.weighting.task_rows import TaskRows, by_task_rows


class TaskGradients:
    """What one step can ask of its tapes: the tasks' Gramian, then the gradients that a balance makes.

    The forward pass has two parts. ``trunk_tape`` recorded variables -> trunk outputs; ``head_tape``, persistent,
    recorded trunk outputs -> losses. A head lies on the path of its own loss only, so that one backward pass per
    task through the heads costs as much as one pass for all tasks; the trunk is passed once, whatever T is, unless
    the gradients of shared variables themselves are compared. Those are ``compared``, dense, and ``tables``, of which
    only the rows that the batch read are touched; both are then combined from what was compared, without another pass.
    ``penalties`` are scalars of the trunk's pass, ``head_penalties`` scalars of the heads', that are added to the
    objective as they are.
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
        tables: Sequence[tf.Variable] = (),
        penalties: Sequence[tf.Tensor] = (),
        head_penalties: Sequence[tf.Tensor] = (),
    ) -> None:
        self._penalties, self._head_penalties = list(penalties), list(head_penalties)
        self._trunk_tape, self._head_tape = trunk_tape, head_tape
        self._losses, self._trunk = list(losses), list(trunk)
        self._shared, self._heads = list(shared), list(heads)
        self._compared, self._tables = list(compared), list(tables)
        self._by_task: list[list[Any]] | None = None
        self._known: dict[Any, list[Any] | TaskRows] = {}
        """Each task's gradient of a variable, where tasks are compared by it."""

    def gramian(self) -> tf.Tensor:
        """Inner products [T, T] of the tasks' gradients of the trunk's outputs, or of ``compared`` and ``tables``.

        With ``compared`` the trunk tape must be persistent, and is passed T times.
        """
        at_trunk = [task[: len(self._trunk)] for task in self._split_by_task()]
        if not self._compared and not self._tables:
            pairs = zip(zip(*at_trunk, strict=True), self._trunk, strict=True)
            return _gramian([_flat(column, like) for column, like in pairs])
        variables = [*self._compared, *self._tables]
        passed = self._one_after_another(at_trunk, variables)
        columns = {v.ref(): list(column) for v, column in zip(variables, zip(*passed, strict=True), strict=True)}
        self._known = {v.ref(): columns[v.ref()] for v in self._compared}
        flat = [_flat(columns[v.ref()], v) for v in self._compared]
        for table in self._tables:
            rows = self._known[table.ref()] = by_task_rows(columns[table.ref()], table)
            flat.append(tf.reshape(rows.values, [len(self._losses), -1]))
        return _gramian(flat)

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
        return self._of_shared(both[:first], balance.shared), both[first:]

    def _of_shared(self, at_trunk: list[Any], weights: tf.Tensor) -> list[Any]:
        """Gradients of the shared variables: of what was compared from each task's, of the rest by one more pass."""
        rest = [v for v in self._shared if v.ref() not in self._known]
        compared = [v for v in self._shared if v.ref() in self._known]
        found = dict(zip([v.ref() for v in rest], self._through_trunk(at_trunk, rest, penalised=True), strict=True))
        nothing = [None] * len(self._trunk)
        extra = self._through_trunk(nothing, compared, penalised=True) if self._penalties else [None] * len(compared)
        for variable, penalty in zip(compared, extra, strict=True):
            known = self._known[variable.ref()]
            mixed = known.mixed(weights) if isinstance(known, TaskRows) else _mixed(known, weights)
            found[variable.ref()] = _sum(mixed, penalty)
        return [found[v.ref()] for v in self._shared]

    def _one_after_another(
        self, at_trunk: Sequence[Sequence[Any]], variables: Sequence[tf.Variable]
    ) -> list[list[Any]]:
        """Each task's pass through the trunk, begun when the one before has ended: together they hold more memory."""
        passed: list[list[Any]] = []
        for task in at_trunk:
            before = [gradient for gradient in passed[-1] if gradient is not None] if passed else []
            with tf.control_dependencies(before):
                seeds = [None if seed is None else tf.identity(seed) for seed in task]
            passed.append(self._through_trunk(seeds, variables))
        return passed

    def _through_trunk(
        self, at_trunk: Sequence[Any], variables: Sequence[tf.Variable], *, penalised: bool = False
    ) -> list[Any]:
        """From gradients of the trunk's outputs, ``None`` where there is none, to those of variables."""
        reached = [(out, seed) for out, seed in zip(self._trunk, at_trunk, strict=True) if seed is not None]
        if penalised:
            reached += [(penalty, tf.ones_like(penalty)) for penalty in self._penalties]
        if not reached or not variables:
            return [None] * len(variables)
        outputs, seeds = zip(*reached, strict=True)
        gradients: list[Any] = self._trunk_tape.gradient(list(outputs), list(variables), output_gradients=list(seeds))
        return gradients

    def by_task(self, variables: Sequence[tf.Variable]) -> list[list[Any]]:
        """For each shared variable its gradients by task, ``None`` where a loss does not reach it.

        Without penalties and unweighted. The trunk tape must be persistent, and is passed T times for what was not
        compared.
        """
        fresh = [v for v in variables if not isinstance(self._known.get(v.ref()), list)]
        passed = self._one_after_another([task[: len(self._trunk)] for task in self._split_by_task()], fresh)
        columns = {v.ref(): list(column) for v, column in zip(fresh, zip(*passed, strict=True), strict=True)}
        return [columns.get(v.ref()) or list(self._known[v.ref()]) for v in variables]

    def of_penalties(self, variables: Sequence[tf.Variable]) -> list[Any]:
        """Gradients of all penalties together, ``None`` where none reaches a variable; the trunk tape as above."""
        seeds: list[Any] = [None] * len(self._trunk)
        if self._head_penalties:
            seeds = self._head_tape.gradient(self._head_penalties, self._trunk)
        return self._through_trunk(seeds, variables, penalised=True)

    def _split_by_task(self) -> list[list[Any]]:
        if self._by_task is None:
            sources = [*self._trunk, *self._heads]
            self._by_task = [self._head_tape.gradient(loss, sources) for loss in self._losses]
        return self._by_task


def _flat(by_task: Sequence[Any], like: tf.Tensor) -> tf.Tensor:
    """Each task's gradient of one tensor in a row [T, .]; zeros where there is none."""
    return tf.stack([tf.reshape(tf.zeros_like(like) if g is None else g, [-1]) for g in by_task])


def _gramian(rows: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.linalg.matmul(row, row, transpose_b=True) for row in rows])


def _weighted(by_task: Sequence[Sequence[Any]], weights: tf.Tensor) -> list[Any]:
    """For each of several tensors, the sum over tasks of weights [T] times gradients."""
    return [_mixed(column, weights) for column in zip(*by_task, strict=True)]


def _mixed(by_task: Sequence[Any], weights: tf.Tensor) -> Any:
    """Sum over tasks of weights [T] times gradients of one tensor, without multiplying what is not there."""
    parts = [weights[i] * gradient for i, gradient in enumerate(by_task) if gradient is not None]
    return tf.add_n(parts) if parts else None


def _sum(first: Any, second: Any) -> Any:
    """Of two gradients of one variable, either of which may be missing or sparse."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, tf.IndexedSlices) and isinstance(second, tf.IndexedSlices):
        indices = tf.concat([first.indices, tf.cast(second.indices, first.indices.dtype)], axis=0)
        return tf.IndexedSlices(tf.concat([first.values, second.values], axis=0), indices, first.dense_shape)
    return tf.convert_to_tensor(first) + tf.convert_to_tensor(second)
