"""Moments of shared variables kept apart by task."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ranker.weighting.task_gradients import TaskGradients

Rate = Callable[[], tf.Tensor]


class TaskParts(NamedTuple):
    """What a :class:`PerTaskOptimizer` takes for one variable where others take a gradient."""

    by_task: tuple[Any, ...]
    """Each task's gradient, ``None`` where its loss does not reach the variable."""
    weights: tf.Tensor
    """Weights [T] of the tasks' steps, the same for all variables."""


class PerTaskOptimizer(tf.keras.optimizers.legacy.Optimizer):
    """``x <- x - rate * sum_i w_i P_i(g_i)``: each task's gradient g_i goes through an optimiser P_i of its own.

    P_i holds moments of task i alone, so that a task of large gradients divides by its own large moments, and one of
    small gradients by its small ones. The weights multiply steps, not gradients: a method that divides by the root of
    a mean of squared gradients would cancel a weight on the gradient. ``make`` turns a learning rate into a Keras
    optimiser whose step is proportional to that rate and does not depend on the variable's value; the steps of T such
    optimisers, taken one after the other, are then the sum above. With one task and the weight 1 it is that optimiser
    itself. A task without any gradient leaves its moments as they are.
    """

    def __init__(self, make: Callable[[Rate], tf.keras.optimizers.legacy.Optimizer], tasks: int, rate: Rate) -> None:
        if tasks < 1:
            raise ValueError(f"tasks must be at least 1, got {tasks}")
        super().__init__(name="PerTask")
        self.task_weights = tf.Variable(tf.ones(tasks), trainable=False, name="task_weights")  # of the step under way

        def weighted(task: int) -> Rate:
            return lambda: rate() * self.task_weights[task]

        self.of_tasks = [make(weighted(task)) for task in range(tasks)]
        for task, optimizer in enumerate(self.of_tasks):
            self._track_trackable(optimizer, name=f"task_{task}")

    def apply_gradients(
        self,
        grads_and_vars: Sequence[tuple[TaskParts, tf.Variable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> None:
        """Take the tasks' steps, one after the other.

        Raises ``ValueError`` for gradients of another number of tasks.
        """
        pairs = list(grads_and_vars)
        for parts, variable in pairs:
            if len(parts.by_task) != len(self.of_tasks):
                raise ValueError(
                    f"{variable.name}: moments of {len(self.of_tasks)} task(s) are kept, got gradients of "
                    f"{len(parts.by_task)}"
                )
        if pairs:
            self.task_weights.assign(pairs[0][0].weights)
        for task, optimizer in enumerate(self.of_tasks):
            own = [(parts.by_task[task], variable) for parts, variable in pairs if parts.by_task[task] is not None]
            if own:
                optimizer.apply_gradients(
                    own, name=name, experimental_aggregate_gradients=experimental_aggregate_gradients
                )

    @property
    def weights(self) -> list[tf.Variable]:
        """Variables of the tasks' optimisers."""
        return [variable for optimizer in self.of_tasks for variable in optimizer.weights]

    def variables(self) -> list[tf.Variable]:
        """The same, by Keras' other name for it."""
        return self.weights

    def get_config(self) -> dict[str, Any]:
        """Refused: it is made from functions."""
        raise NotImplementedError("a PerTaskOptimizer cannot be serialized: it is made from functions")


def task_parts(
    gradients: TaskGradients, variables: Sequence[tf.Variable], weights: tf.Tensor
) -> list[TaskParts | None]:
    """What one step has for each variable, ``None`` where nothing reaches it; the trunk is passed once a task.

    Weights are scaled to a mean size of 1 over the tasks that have one: they multiply steps, whose length the learning
    rate sets, and some methods' weights carry units of losses or gradients.

    A penalty, which belongs to no task, is divided among the tasks that reach the variable: each task's gradient gets
    ``penalty / sum_i w_i``, so that the weighted sum holds the penalty once, as it is.
    """
    if not variables:
        return []
    size = tf.reduce_sum(tf.abs(weights))
    weights = tf.math.divide_no_nan(weights * tf.math.count_nonzero(weights, dtype=weights.dtype), size)
    columns = gradients.by_task(variables)
    return [
        _parts(tuple(column), penalty, weights)
        for column, penalty in zip(columns, gradients.of_penalties(variables), strict=True)
    ]


def _parts(column: tuple[Any, ...], penalty: Any, weights: tf.Tensor) -> TaskParts | None:
    if penalty is not None:
        reached = [i for i, gradient in enumerate(column) if gradient is not None] or list(range(len(column)))
        share = tf.math.divide_no_nan(penalty, tf.reduce_sum(tf.gather(weights, reached)))
        total = [share if gradient is None else gradient + share for gradient in column]
        column = tuple(total[i] if i in reached else None for i in range(len(column)))
    return TaskParts(column, weights) if any(gradient is not None for gradient in column) else None
