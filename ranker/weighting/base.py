"""What every balancing method is: losses, and if asked for a Gramian, to one seed vector."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, NamedTuple

import tensorflow as tf
from pydantic import Field

from ranker.registry import Registry, nearest
from ranker.schema import Binary, Closed, Regression


class Balance(NamedTuple):
    """Weights of the tasks' gradients, and the gradients of the method's own variables."""

    shared: tf.Tensor
    """Seed [T] for the variables that tasks share."""
    heads: tf.Tensor
    """Seed [T] for the tasks' own variables."""
    own: list[tf.Tensor]
    """Gradients of the method's own trainable variables, in their order."""


class WeightingOptions(Closed):
    """Base of the options of a method; each adds its ``name`` and parameters."""

    name: str = ""


class Weighting(tf.Module):
    """Base of all methods. ``build`` must be called once, with the tasks in order, before ``balance``."""

    Options: ClassVar[type[WeightingOptions]]

    def __init__(self, options: WeightingOptions | None = None) -> None:
        super().__init__()
        self.options = options if options is not None else self.Options()

    def build(self, tasks: Mapping[str, Binary | Regression]) -> None:
        """Check task names in the options and create variables; most methods have neither."""

    def balance(self, losses: tf.Tensor, gramian: Callable[[], tf.Tensor]) -> Balance:
        """Losses [T] to seeds; ``gramian()`` gives the inner products [T, T] of the tasks' gradients, at a cost."""
        raise NotImplementedError


class LossBalancer(Weighting):
    """A method that combines the losses into one objective; its seed is the objective's gradient by the losses."""

    def objective(self, losses: tf.Tensor) -> tf.Tensor:
        """Losses [T] to a scalar to be minimised."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, gramian: Callable[[], tf.Tensor]) -> Balance:
        """Differentiate the objective; the Gramian is never computed."""
        del gramian
        with tf.GradientTape() as tape:
            tape.watch(losses)
            objective = self.objective(losses)
        seed, own = tape.gradient(objective, (losses, list(self.trainable_variables)), unconnected_gradients="zero")
        return Balance(shared=seed, heads=seed, own=own)


class GradientOptions(WeightingOptions):
    """Options that every gradient method has; each adds its ``name`` and its own."""

    gradients_of: Literal["representation", "shared"] = Field(
        "representation",
        description="representation: gradients of the trunk's outputs, one pass through the trunk. "
        "shared: gradients of all shared dense variables, one pass through the trunk for each task.",
    )


class GradientBalancer(Weighting):
    """A method that weighs the tasks' gradients of shared variables; each head keeps its own task's gradient."""

    options: GradientOptions

    def __init__(self, options: GradientOptions | None = None) -> None:
        super().__init__(options)
        self.gradients_of = self.options.gradients_of

    def weights(self, losses: tf.Tensor, gramian: tf.Tensor) -> tf.Tensor:
        """Losses [T] and Gramian [T, T] to weights [T]."""
        raise NotImplementedError

    def balance(self, losses: tf.Tensor, gramian: Callable[[], tf.Tensor]) -> Balance:
        """Weigh the shared gradients."""
        weights = tf.stop_gradient(self.weights(losses, gramian()))
        return Balance(shared=weights, heads=tf.ones_like(weights), own=[])


def per_task(
    values: float | Mapping[str, float], tasks: Mapping[str, Binary | Regression], option: str, default: float
) -> list[float]:
    """One number for all tasks, or numbers by task name, to a list in task order.

    Raises ``ValueError`` naming the option and the unknown task.
    """
    if not isinstance(values, Mapping):
        return [float(values)] * len(tasks)
    for name in values:
        if name not in tasks:
            hint = nearest(name, list(tasks))
            known = ", ".join(tasks)
            raise ValueError(f"weighting.{option}: unknown task {name!r}{'; ' + hint if hint else ''} (known: {known})")
    return [float(values.get(name, default)) for name in tasks]


WEIGHTINGS: Registry[type[Weighting]] = Registry("weighting")
