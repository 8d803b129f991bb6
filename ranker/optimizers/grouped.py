"""One optimiser per group of variables, with a common step count."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_recommenders as tfrs

from ranker import replicas
from ranker.optimizers.average import WeightAverage
from ranker.optimizers.per_task import PerTaskOptimizer


class Group(NamedTuple):
    """Variables with their optimiser and weight decay."""

    optimizer: tf.keras.optimizers.legacy.Optimizer
    variables: Sequence[tf.Variable]
    rate: Callable[[], tf.Tensor]
    """The optimiser's learning rate at the current step."""
    weight_decay: float = 0.0


class GroupedOptimizer(tfrs.experimental.optimizers.CompositeOptimizer):
    """TFRS' CompositeOptimizer with one step count for all groups, and decoupled weight decay.

    ``step`` counts all updates of this optimiser, so that learning rates follow the run even in a group that many
    steps skip. Weight decay subtracts ``rate * weight_decay * x`` from each matrix x that has a gradient, but not from
    biases and scales (vectors and scalars). Loshchilov & Hutter, ICLR 2019. A variable without a gradient and its
    moments stay unchanged. ``average`` is updated after every step.
    """

    def __init__(self, groups: Sequence[Group], step: tf.Variable, average: WeightAverage | None = None) -> None:
        super().__init__([(group.optimizer, partial(list, group.variables)) for group in groups], name="Grouped")
        self.groups, self.step, self.average = list(groups), step, average
        self._track_trackable(step, name="step")
        if average is not None:
            self._track_trackable(average, name="average")
        for group in groups:  # create slots now, or the first step is traced twice
            if not isinstance(group.optimizer, PerTaskOptimizer):
                group.optimizer._create_all_weights(group.variables)
            elif tf.distribute.has_strategy():  # else a task gets slots for what it reaches; replicas cannot make any
                for optimizer in group.optimizer.of_tasks:
                    optimizer._create_all_weights(group.variables)

    def apply_gradients(
        self,
        grads_and_vars: Sequence[tuple[Any, tf.Variable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> None:
        """Apply gradients, or :class:`TaskParts` for variables with per-task moments."""
        pairs = [(gradient, variable) for gradient, variable in grads_and_vars if gradient is not None]
        moved = {variable.ref() for _, variable in pairs}
        for group in self.groups:
            if group.weight_decay:
                lost = group.rate() * group.weight_decay
                for variable in group.variables:
                    if variable.ref() in moved and variable.shape.rank >= 2:
                        variable.assign_sub(lost * variable)  # a difference: other workers' updates are kept
        clipped = {v.ref() for group in self.groups if _clips(group.optimizer) for v in group.variables}
        pairs = [(replicas.distinct(g) if _repeats(g) and v.ref() in clipped else g, v) for g, v in pairs]
        super().apply_gradients(pairs, name=name, experimental_aggregate_gradients=experimental_aggregate_gradients)
        if self.average is not None:
            self.average.update(self.step)
        self.step.assign_add(1)

    @property
    def iterations(self) -> tf.Variable:
        """Number of steps taken."""
        return self.step


def _clips(optimizer: tf.keras.optimizers.legacy.Optimizer) -> bool:
    """Whether gradients are scaled to a norm: that of a table's is of its rows, however often a batch reads them."""
    return getattr(optimizer, "clipnorm", None) is not None


def _repeats(gradient: Any) -> bool:
    return isinstance(gradient, tf.IndexedSlices)


def kept_apart(optimizer: tf.keras.optimizers.legacy.Optimizer) -> list[tf.Variable]:
    """Variables for which an optimiser takes per-task gradients; none for most optimisers."""
    if not isinstance(optimizer, GroupedOptimizer):
        return []
    apart = [group for group in optimizer.groups if isinstance(group.optimizer, PerTaskOptimizer)]
    return [variable for group in apart for variable in group.variables]


def averaged(optimizer: tf.keras.optimizers.legacy.Optimizer) -> AbstractContextManager[None]:
    """Context in which the model has its averaged weights, if its optimiser averages them."""
    average = optimizer.average if isinstance(optimizer, GroupedOptimizer) else None
    return nullcontext() if average is None else average.in_place()
