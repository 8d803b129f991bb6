"""Gradients of several losses, with as few backward passes as a balancing method needs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from ranker import replicas
from ranker.lazy_tensorflow import tf
from ranker.weighting.base import Balance
from ranker.weighting.task_rows import TaskRows, by_task_rows


class TaskGradients:
    """The Gramian of the tasks' gradients, and the gradients combined by a balance, from the tapes of one step.

    The forward pass has two parts. ``trunk_tape`` recorded variables -> features, the tensors that the heads read;
    ``head_tape``, persistent, recorded features -> losses. A head contributes to its own loss only, so one backward
    pass per task through the heads costs as much as one pass for all tasks. The trunk needs one backward pass for any
    T, unless gradients of shared variables are compared; those of ``compared`` are then combined without another pass.
    For embedding tables only the rows that the batch read are used; ``compare_tables=False`` leaves tables out of the
    comparison.

    Without ``trunk_tape`` there are no features: ``head_tape`` recorded everything, and gradients of all ``shared``
    variables are compared.

    ``penalties`` are scalars of either part that are added to the objective unweighted.

    On several replicas the tapes hold a share of the batch, and all results are those of the whole.
    """

    def __init__(
        self,
        trunk_tape: tf.GradientTape | None,
        head_tape: tf.GradientTape,
        losses: Sequence[tf.Tensor],
        features: Sequence[tf.Tensor],
        shared: Sequence[tf.Variable],
        heads: Sequence[tf.Variable],
        compared: Sequence[tf.Variable] = (),
        penalties: Sequence[tf.Tensor] = (),
        *,
        compare_tables: bool = True,
    ) -> None:
        self._trunk_tape, self._head_tape = trunk_tape, head_tape
        self._losses, self._penalties = list(losses), list(penalties)
        self._shared, self._heads = list(shared), list(heads)
        self._compared, self._compare_tables = list(compared), compare_tables
        self._split: list[Any] = list(shared) if trunk_tape is None else list(features)
        """Tensors where the backward passes through the heads end."""
        self._behind: list[tf.Variable] = [] if trunk_tape is None else list(shared)
        """Shared variables that heads could read directly, bypassing the features."""
        self._by_task: list[list[Any]] | None = None
        self._known: dict[Any, list[Any] | TaskRows] = {}
        """Per-task gradients of the compared variables."""

    def gramian(self) -> tf.Tensor:
        """Inner products [T, T] of task gradients of the features, of ``compared``, or of all shared variables.

        With ``compared`` the trunk tape must be persistent; it takes T backward passes.
        """
        at_split = self._at_split()
        if self._trunk_tape is None:
            return _gramian(self._compare(self._split, at_split))
        if self._compared:
            return _gramian(self._compare(self._compared, self._one_after_another(at_split, self._compared)))
        own = _gramian([_flat(*pair) for pair in zip(zip(*at_split, strict=True), self._split, strict=True)])
        return replicas.summed(own)  # features are of rows, so products of all rows are sums of each replica's

    def combined(self, balance: Balance, apart: Sequence[tf.Variable] = ()) -> tuple[list[Any], list[Any]]:
        """Gradients of the shared and the heads' variables; ``None`` for a variable that no loss reaches.

        ``None`` also for the shared variables ``apart``, whose gradient of all tasks together nobody reads.
        """
        sources, first, last = [*self._split, *self._heads, *self._behind], len(self._split), len(self._heads)
        ones = [tf.ones_like(penalty) for penalty in self._penalties]
        if self._by_task is None and balance.shared is balance.heads:  # one pass serves all tasks
            targets, seeds = [*self._losses, *self._penalties], [*self._seeds(balance.shared), *ones]
            both = self._head_tape.gradient(targets, sources, output_gradients=seeds)
        else:
            by_task = self._split_by_task()
            both = [
                *_weighted([task[:first] for task in by_task], balance.shared),
                *_weighted([task[first:] for task in by_task], balance.heads),  # no variable bypasses the features
            ]
            if ones:
                extra = self._head_tape.gradient(self._penalties, sources, output_gradients=ones)
                both = [_sum(*pair) for pair in zip(both, extra, strict=True)]
        at_split, of_heads, behind = both[:first], both[first : first + last], both[first + last :]
        left_out = {variable.ref() for variable in apart}
        if self._trunk_tape is None:
            at_split = [None if v.ref() in left_out else g for v, g in zip(self._shared, at_split, strict=True)]
            summed = replicas.all_summed([*at_split, *of_heads])
            return summed[:first], summed[first:]
        if all(gradient is None for gradient in at_split):
            raise ValueError("no loss reaches the features: heads must read the tensors that share returned")
        at_split = [_dense(gradient, like) for gradient, like in zip(at_split, self._split, strict=True)]
        joint = [variable for variable in self._shared if variable.ref() not in left_out]
        bypassed = dict(zip([v.ref() for v in self._shared], behind, strict=True))
        own = [_sum(g, bypassed[v.ref()]) for v, g in zip(joint, self._of_shared(at_split, joint), strict=True)]
        summed = replicas.all_summed([*own, *of_heads])
        through = {v.ref(): _sum(self._mixed(v, balance.shared), g) for v, g in zip(joint, summed, strict=False)}
        return [through.get(v.ref()) for v in self._shared], summed[len(own) :]

    def by_task(self, variables: Sequence[tf.Variable]) -> list[list[Any]]:
        """Per-task gradients of each shared variable; ``None`` for a loss that does not reach it.

        Unweighted and without penalties. The trunk tape must be persistent; it takes T backward passes for variables
        that were not compared.
        """
        fresh = [v for v in variables if not isinstance(self._known.get(v.ref()), list)]
        passed = self._one_after_another(self._at_split(), fresh)
        flat = iter(replicas.all_summed([gradient for task in passed for gradient in task]))
        passed = [[next(flat) for _ in task] for task in passed]
        columns = {v.ref(): list(column) for v, column in zip(fresh, zip(*passed, strict=True), strict=True)}
        return [columns.get(v.ref()) or list(self._known[v.ref()]) for v in variables]

    def of_penalties(self, variables: Sequence[tf.Variable]) -> list[Any]:
        """Gradients of the sum of penalties; ``None`` for a variable that none reaches. The trunk tape as above."""
        seeds: list[Any] = [None] * len(self._split)
        if self._penalties:
            seeds = self._head_tape.gradient(self._penalties, self._split)
        return replicas.all_summed(self._through_trunk(seeds, variables, penalised=True))

    def _compare(self, variables: Sequence[tf.Variable], by_task: Sequence[Sequence[Any]]) -> list[tf.Tensor]:
        """Store per-task gradients of each variable, and return them as rows [T, .]; for tables, only rows read."""
        flat, columns = [], [list(column) for column in zip(*by_task, strict=True)]
        of_tables = [any(isinstance(gradient, tf.IndexedSlices) for gradient in column) for column in columns]
        dense = [gradient for column, table in zip(columns, of_tables, strict=True) if not table for gradient in column]
        summed = iter(replicas.all_summed(dense))
        for variable, column, table in zip(variables, columns, of_tables, strict=True):
            whole = column if table else [next(summed) for _ in column]
            if table and self._compare_tables:
                rows = self._known[variable.ref()] = by_task_rows(whole, variable).summed()
                flat.append(tf.reshape(rows.values, [len(self._losses), -1]))
            elif not table and any(gradient is not None for gradient in whole):
                self._known[variable.ref()] = whole
                flat.append(_flat(whole, variable))
        if not flat:
            raise ValueError(
                "no loss reaches any of the shared variables whose gradients are compared"
                + ("" if self._compare_tables else "; gradients_of: shared leaves embedding tables out")
            )
        return flat

    def _mixed(self, variable: tf.Variable, weights: tf.Tensor) -> Any:
        """The gradient of a shared variable from stored per-task gradients; ``None`` if it was not compared."""
        known = self._known.get(variable.ref())
        if known is None:
            return None
        return known.mixed(weights) if isinstance(known, TaskRows) else _mixed(known, weights)

    def _of_shared(self, at_split: list[Any], variables: Sequence[tf.Variable]) -> list[Any]:
        """The part of shared variables' gradients that is not stored: of those compared, the penalties'."""
        rest = [v for v in variables if v.ref() not in self._known]
        compared = [v for v in variables if v.ref() in self._known]
        found = dict(zip([v.ref() for v in rest], self._through_trunk(at_split, rest, penalised=True), strict=True))
        nothing = [None] * len(self._split)
        extra = self._through_trunk(nothing, compared, penalised=True) if self._penalties else [None] * len(compared)
        found |= {variable.ref(): penalty for variable, penalty in zip(compared, extra, strict=True)}
        return [found[v.ref()] for v in variables]

    def _one_after_another(
        self, at_split: Sequence[Sequence[Any]], variables: Sequence[tf.Variable]
    ) -> list[list[Any]]:
        """Backward passes through the trunk, one task after another, since concurrent passes would need more memory."""
        passed: list[list[Any]] = []
        for task in at_split:
            before = [gradient for gradient in passed[-1] if gradient is not None] if passed else []
            with tf.control_dependencies(before):
                seeds = [None if seed is None else tf.identity(seed) for seed in task]
            passed.append(self._through_trunk(seeds, variables))
        return passed

    def _through_trunk(
        self, at_split: Sequence[Any], variables: Sequence[tf.Variable], *, penalised: bool = False
    ) -> list[Any]:
        """Backpropagate gradients of the features (may be ``None``) to variables."""
        if self._trunk_tape is None:
            here = {variable.ref(): gradient for variable, gradient in zip(self._split, at_split, strict=True)}
            return [here.get(variable.ref()) for variable in variables]
        reached = [(out, seed) for out, seed in zip(self._split, at_split, strict=True) if seed is not None]
        if penalised:
            reached += [(penalty, tf.ones_like(penalty)) for penalty in self._penalties]
        if not reached or not variables:
            return [None] * len(variables)
        outputs, seeds = zip(*reached, strict=True)
        gradients: list[Any] = self._trunk_tape.gradient(list(outputs), list(variables), output_gradients=list(seeds))
        return gradients

    def _at_split(self) -> list[list[Any]]:
        """Per-task gradients of the features, or of the shared variables if there are no features."""
        return [task[: len(self._split)] for task in self._split_by_task()]

    def _split_by_task(self) -> list[list[Any]]:
        if self._by_task is None:
            sources = [*self._split, *self._heads, *self._behind]
            self._by_task = [self._head_tape.gradient(loss, sources) for loss in self._losses]
            if self._trunk_tape is not None:
                first, last = len(self._split), len(self._split) + len(self._heads)
                for task in self._by_task:
                    self._refuse_by_passes(task[last:])
                    task[:first] = [_dense(*pair) for pair in zip(task[:first], self._split, strict=True)]
        return self._by_task

    def _refuse_by_passes(self, behind: Sequence[Any]) -> None:
        passed = [v.name for v, gradient in zip(self._behind, behind, strict=True) if gradient is not None]
        if passed:
            raise ValueError(
                f"heads read {', '.join(passed)} directly, so the features are not all that tasks share; pass every "
                "trunk tensor that heads read to share, or compare shared variables without features"
            )

    def _seeds(self, weights: tf.Tensor) -> list[tf.Tensor]:
        return [tf.cast(w, loss.dtype) for w, loss in zip(tf.unstack(weights), self._losses, strict=True)]


def _flat(by_task: Sequence[Any], like: tf.Tensor) -> tf.Tensor:
    """Per-task gradients of one tensor as rows [T, .]; zeros for a missing gradient."""
    return tf.stack([tf.reshape(tf.zeros_like(like) if g is None else g, [-1]) for g in by_task])


def _gramian(rows: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n([tf.linalg.matmul(row, row, transpose_b=True) for row in rows])


def _weighted(by_task: Sequence[Sequence[Any]], weights: tf.Tensor) -> list[Any]:
    """Sum over tasks of weights [T] times gradients, for each of several tensors."""
    return [_mixed(column, weights) for column in zip(*by_task, strict=True)]


def _mixed(by_task: Sequence[Any], weights: tf.Tensor) -> Any:
    """Sum over tasks of weights [T] times gradients of one tensor, skipping missing gradients."""
    parts = [_scaled(gradient, weights[i]) for i, gradient in enumerate(by_task) if gradient is not None]
    if any(isinstance(part, tf.IndexedSlices) for part in parts):
        return reduce(_sum, parts)
    return tf.add_n(parts) if parts else None


def _scaled(gradient: Any, weight: tf.Tensor) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        values = tf.cast(weight, gradient.values.dtype) * gradient.values
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return tf.cast(weight, gradient.dtype) * gradient


def _dense(gradient: Any, like: tf.Tensor) -> Any:
    """Convert a sparse gradient, from a gather, to a dense one in the tensor's shape."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    return tf.math.unsorted_segment_sum(gradient.values, gradient.indices, tf.shape(like)[0])


def _sum(first: Any, second: Any) -> Any:
    """Sum of two gradients of one variable, either of which may be missing or sparse."""
    if first is None or second is None:
        return second if first is None else first
    if isinstance(first, tf.IndexedSlices) and isinstance(second, tf.IndexedSlices):
        indices = tf.concat([first.indices, tf.cast(second.indices, first.indices.dtype)], axis=0)
        return tf.IndexedSlices(tf.concat([first.values, second.values], axis=0), indices, first.dense_shape)
    return tf.convert_to_tensor(first) + tf.convert_to_tensor(second)
