"""Optimiser moments of shared variables, kept separately per task."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ranker.weighting.task_gradients import TaskGradients

Rate = Callable[[], tf.Tensor]


class TaskParts(NamedTuple):
    """Input of a :class:`PerTaskOptimizer` for one variable, in place of a gradient."""

    by_task: tuple[Any, ...]
    """Gradient of each task; ``None`` if its loss does not reach the variable."""
    weights: tf.Tensor
    """Weights [T] of the tasks' steps, the same for all variables."""


class PerTaskOptimizer(tf.keras.optimizers.legacy.Optimizer):
    """``x <- x - rate * sum_i w_i P_i(g_i)``: each task's gradient g_i has its own optimiser P_i.

    P_i holds the moments of task i only, so a task with large gradients is divided by its own large moments, and a task
    with small gradients by its small ones. The weights multiply steps, not gradients: dividing by the root mean square
    of gradients would cancel a weight on the gradient. ``make`` creates a Keras optimiser from a learning rate; its
    step must be proportional to the rate and independent of the variable's value, so that T such steps in sequence
    give the sum above. With one task of weight 1 it equals that optimiser. A task without any gradient keeps its
    moments.
    """

    def __init__(self, make: Callable[[Rate], tf.keras.optimizers.legacy.Optimizer], tasks: int, rate: Rate) -> None:
        if tasks < 1:
            raise ValueError(f"tasks must be at least 1, got {tasks}")
        super().__init__(name="PerTask")
        self.task_weights = tf.Variable(tf.ones(tasks), trainable=False, name="task_weights")  # of the current step

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
        """Apply the tasks' steps in sequence.

        Raises ``ValueError`` if the number of tasks differs.
        """
        pairs = list(grads_and_vars)
        for parts, variable in pairs:
            if len(parts.by_task) != len(self.of_tasks):
                raise ValueError(
                    f"{variable.name}: the optimiser has moments of {len(self.of_tasks)} task(s), got gradients of "
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
        """Variables of the per-task optimisers."""
        return [variable for optimizer in self.of_tasks for variable in optimizer.weights]

    def variables(self) -> list[tf.Variable]:
        """Same as ``weights``, under Keras' other name."""
        return self.weights

    def get_config(self) -> dict[str, Any]:
        """Not supported: the optimiser is built from functions."""
        raise NotImplementedError("a PerTaskOptimizer cannot be serialized: it is built from functions")


def task_parts(
    gradients: TaskGradients, variables: Sequence[tf.Variable], weights: tf.Tensor
) -> list[TaskParts | None]:
    """Per-task gradients and weights of each variable, ``None`` if no loss reaches it; one trunk pass per task.

    Weights are scaled to mean absolute value 1 over tasks with nonzero weight: they multiply steps, whose length the
    learning rate sets, and some methods' weights carry units of losses or gradients.

    A penalty belongs to no task, so it is split among the tasks that reach the variable: each task's gradient gets
    ``penalty / sum_i w_i``, so that the weighted sum contains the penalty exactly once.
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
