"""Record a model's forward pass for a balancing method, and take the balanced step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from ranker import replicas
from ranker.lazy_tensorflow import do_not_convert, tf
from ranker.registry import alternatives
from ranker.weighting.base import Evidence, GradientBalancer, Weighting
from ranker.weighting.task_gradients import TaskGradients

Losses: TypeAlias = Mapping[str, "tf.Tensor"] | Sequence["tf.Tensor"]
"""A scalar per task, by name or in task order; exactly 0 for a task without labels in the batch."""
Quality: TypeAlias = "tf.Tensor | Callable[[], tf.Tensor]"
Features = TypeVar("Features")


class BalancedGradients(NamedTuple):
    """Gradients of one step, with the weights and Gramian behind them."""

    updates: list[tuple[Any, tf.Variable]]
    """Pairs of gradient and variable, including the method's variables; variables without gradient are left out."""
    weights: tf.Tensor
    """Weights [T] of task gradients for shared variables."""
    gramian: tf.Tensor | None
    """Inner products [T, T] of task gradients, if the method compared them."""
    task_gradients: TaskGradients
    """Per-task gradients, for optimisers with per-task moments."""
    losses: tf.Tensor
    """The losses [T]; on several replicas, of the whole batch."""


class BalancedStep(NamedTuple):
    """Values of a step to log; fields as in :class:`BalancedGradients`."""

    weights: tf.Tensor
    gramian: tf.Tensor | None


class BalancingTape:
    """Context that records one batch's forward pass; used once.

    ``share`` splits the pass into trunk and heads. Gradient methods then compare task gradients with respect to the
    features, or to the shared variables through the features (``gradients_of``). Without it they compare gradients of
    the variables passed as ``shared``. Works eagerly and inside ``tf.function``.

    ``by_task`` keeps the trunk's tape for optimisers that take per-task gradients.
    """

    def __init__(self, method: Weighting, tasks: Sequence[str], *, by_task: bool = False) -> None:
        self._method, self._tasks = method, list(tasks)
        self._first = tf.GradientTape(persistent=by_task or isinstance(method, GradientBalancer))
        self._second: tf.GradientTape | None = None
        self._features: list[tf.Tensor] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._first)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    @do_not_convert
    def share(self, features: Features) -> Features:
        """Mark the tensors that the heads read: operations recorded so far form the trunk, later ones the heads.

        Takes and returns a tensor or any nesting of tensors. Call once, inside the context, before any head.
        """
        if self._second is not None:
            raise ValueError("share was called twice; pass all tensors that the heads read in one call")
        self._open.close()
        self._features = [part for part in tf.nest.flatten(features) if part.dtype.is_floating]
        if not self._features:
            raise ValueError("share got no floating-point tensor, so there is nothing to differentiate with respect to")
        self._second = tf.GradientTape(persistent=True)
        self._open.enter_context(self._second)
        self._second.watch(self._features)
        return features

    @do_not_convert
    def gradients(
        self,
        losses: Losses,
        variables: Sequence[tf.Variable],
        *,
        shared: Sequence[tf.Variable] | None = None,
        compared: Sequence[tf.Variable] | None = None,
        apart: Sequence[tf.Variable] = (),
        penalties: Sequence[tf.Tensor] = (),
        quality: Quality | None = None,
        compare: bool | None = None,
    ) -> BalancedGradients:
        """Balance the losses, and return the gradients of ``variables`` and of the method's variables.

        In a replica of ``tf.distribute``, losses and penalties are shares of the batch's, which sum to it over
        replicas; gradients are sums over replicas, so that the optimiser must not sum them again.

        Parameters
        ----------
        losses
            A scalar for each task, computed inside the context.
        variables
            Variables to train, such as ``model.trainable_variables``.
        shared
            Those of ``variables`` that more than one task reads; by default those read before ``share``. Required by
            gradient methods if ``share`` was not called.
        compared
            Those of ``shared`` whose gradients are compared, after ``share`` with ``gradients_of: shared`` or
            ``shared_with_embeddings``; by default all.
        apart
            Those of ``shared`` whose optimiser takes per-task gradients: they are left out of the updates, and their
            gradients are those of ``task_gradients``.
        penalties
            Scalars computed in the context that belong to no task, such as ``model.losses``; added unweighted.
        quality
            Ranking quality of each task on the batch [T], between 0 and 1, NaN if undefined; a tensor or a function
            without arguments. Only ``dtp`` uses it; see :func:`ranker.batch_quality.batch_quality`.
        compare
            Whether to compare gradients in this step or reuse the last weights; a Python bool. Required if ``every``
            is above 1: true once every that many steps.

        Raises
        ------
        ValueError
            If an argument that the method needs is missing, or losses do not match the tasks.
        """
        self._open.close()
        named = self._in_order(losses)
        stacked = replicas.summed(tf.stack([tf.cast(loss, tf.float32) for loss in named]))
        own = {variable.ref() for variable in self._method.trainable_variables}
        shared, heads = self._divided([v for v in variables if v.ref() not in own], shared)
        gradients = self._task_gradients(named, shared, heads, compared, penalties)
        seen: list[tf.Tensor] = []

        def gramian() -> tf.Tensor:
            seen.append(tf.cast(gradients.gramian(), tf.float32))
            return seen[0]

        asked = self._asked(compare)
        evidence = Evidence(gramian, lambda: self._quality(quality))
        balance = self._method.balance(stacked, evidence) if asked else self._method.reuse()
        found = [g for group in gradients.combined(balance, apart) for g in group]
        pairs = list(zip(found, [*shared, *heads], strict=True))
        if asked:
            pairs += zip(balance.own, self._method.trainable_variables, strict=True)
        updates = [(gradient, variable) for gradient, variable in pairs if gradient is not None]
        return BalancedGradients(updates, balance.shared, seen[0] if seen else None, gradients, stacked)

    def step(
        self,
        optimizer: tf.keras.optimizers.Optimizer,
        losses: Losses,
        variables: Sequence[tf.Variable],
        *,
        shared: Sequence[tf.Variable] | None = None,
        penalties: Sequence[tf.Tensor] = (),
        quality: Quality | None = None,
        compare: bool | None = None,
        look_again: Callable[[], Losses] | None = None,
    ) -> BalancedStep:
        """Apply :meth:`gradients` with a Keras optimiser; arguments as there.

        ``look_again`` recomputes the losses of the same batch; only ``famo`` calls it, after the step.
        """
        if self._method.looks_back and look_again is None:
            raise ValueError(
                f"{self._name} compares the losses of a batch before and after the step: pass look_again, a function "
                "that recomputes the losses of the same batch"
            )
        found = self.gradients(losses, variables, shared=shared, penalties=penalties, quality=quality, compare=compare)
        replicas.apply(optimizer, found.updates)
        if self._method.looks_back and look_again is not None:
            self._look_back(look_again())
        return BalancedStep(found.weights, found.gramian)

    @do_not_convert
    def _look_back(self, losses: Losses) -> None:
        self._method.after(replicas.summed(tf.stack([tf.cast(loss, tf.float32) for loss in self._in_order(losses)])))

    @property
    def _name(self) -> str:
        return self._method.options.name

    def _in_order(self, losses: Losses) -> list[tf.Tensor]:
        """Losses in task order, each a scalar."""
        known = ", ".join(self._tasks)
        if isinstance(losses, Mapping):
            for task in losses:
                if task not in self._tasks:
                    raise ValueError(f"losses: unknown task {task!r}{alternatives(task, self._tasks)}")
            missing = ", ".join(repr(task) for task in self._tasks if task not in losses)
            if missing:
                raise ValueError(f"losses: missing loss of {missing}; pass 0 for a task without labels in the batch")
            losses = [losses[task] for task in self._tasks]
        if tf.is_tensor(losses):
            raise ValueError(f"losses must be a list or a mapping of scalars, got one tensor: {losses}")
        named = [tf.convert_to_tensor(loss) for loss in losses]
        if len(named) != len(self._tasks):
            raise ValueError(f"losses: need one for each of {len(self._tasks)} task(s) ({known}), got {len(named)}")
        for task, loss in zip(self._tasks, named, strict=True):
            if loss.shape.rank != 0:
                raise ValueError(f"losses: {task!r} must be a scalar, got shape {loss.shape}; take the mean")
        return named

    def _divided(
        self, variables: Sequence[tf.Variable], shared: Sequence[tf.Variable] | None
    ) -> tuple[list[tf.Variable], list[tf.Variable]]:
        """Split variables into shared and task-specific ones."""
        before = {variable.ref() for variable in self._first.watched_variables()}
        if shared is None and self._second is not None:
            shared = [variable for variable in variables if variable.ref() in before]
        elif shared is None and isinstance(self._method, GradientBalancer):
            raise ValueError(
                f"{self._name} compares gradients of shared variables: mark the tensors heads read with "
                "tape.share(...), or pass shared, the variables that more than one task reads"
            )
        elif shared is None:
            shared = variables
        else:
            trained = {variable.ref() for variable in variables}
            shared = [variable for variable in shared if variable.ref() in trained]
        known = {variable.ref() for variable in shared}
        heads = [variable for variable in variables if variable.ref() not in known]
        misplaced = [v.name for v in heads if self._second is not None and v.ref() in before]
        if misplaced:
            raise ValueError(f"{', '.join(misplaced)}: read before share, but not among the shared variables")
        return list(shared), heads

    def _task_gradients(
        self,
        losses: Sequence[tf.Tensor],
        shared: Sequence[tf.Variable],
        heads: Sequence[tf.Variable],
        compared: Sequence[tf.Variable] | None,
        penalties: Sequence[tf.Tensor],
    ) -> TaskGradients:
        gradients_of, with_tables = "representation", True
        if isinstance(self._method, GradientBalancer):
            gradients_of = self._method.gradients_of
            with_tables = gradients_of != "shared" or compared is not None
        if self._second is None:
            if gradients_of == "representation" and "gradients_of" in self._method.options.model_fields_set:
                raise ValueError(
                    "gradients_of: representation compares gradients of the tensors that heads read: mark them with "
                    "tape.share(...), or leave the option out to compare gradients of the shared variables"
                )
            compared = ()
        elif gradients_of == "representation":
            compared = ()
        return TaskGradients(
            None if self._second is None else self._first,
            self._second or self._first,
            losses,
            self._features,
            shared,
            heads,
            compared=shared if compared is None else compared,
            penalties=penalties,
            compare_tables=with_tables,
        )

    def _asked(self, compare: bool | None) -> bool:
        if compare is None and self._method.every > 1:
            raise ValueError(
                f"every: {self._method.every} compares gradients once every {self._method.every} steps: pass "
                "compare=True in those steps and compare=False in the others"
            )
        if compare is False and self._method.every == 1:
            raise ValueError(f"compare=False reuses the last weights, but {self._name} keeps them only if every > 1")
        return compare is not False

    def _quality(self, quality: Quality | None) -> tf.Tensor:
        if quality is None:
            raise ValueError(
                f"{self._name} needs each task's ranking quality: pass quality, values [T] between 0 and 1, e.g. AUCs "
                "(ranker.batch_quality.batch_quality), or choose kpi: likelihood, which needs only losses"
            )
        return tf.cast(quality() if callable(quality) else quality, tf.float32)
