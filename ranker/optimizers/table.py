"""The optimisers that a config can name. They are Keras 2's legacy ones, which TFRS' CompositeOptimizer composes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ranker.lazy_tensorflow import tf


class OptimizerKind(NamedTuple):
    """How to make an optimiser (from ``learning_rate`` and ``clipnorm``), and what it can be asked for."""

    make: Callable[..., tf.keras.optimizers.legacy.Optimizer]
    per_task: bool = False
    """Whether it keeps squares of gradients, and moves by a step that does not depend on the variable's value."""
    weight_decay: bool = True
    """Whether a variable may be shrunk beside it."""
    l1: str | None = None
    """Its own name for an L1 penalty, if it has one."""


def _legacy(name: str, **options: float) -> Callable[..., Any]:
    """Make Keras's class of this name, looked up when the optimiser is made."""
    return lambda **given: getattr(tf.keras.optimizers.legacy, name)(**options, **given)


OPTIMIZERS = {
    "adam": OptimizerKind(_legacy("Adam"), per_task=True),
    # Losses are means over a batch, so one id's gradient is tiny: from Keras' default accumulator of 0.1 it would
    # take many epochs before rare ids moved at all.
    "adagrad": OptimizerKind(_legacy("Adagrad", initial_accumulator_value=1e-8), per_task=True),
    "rmsprop": OptimizerKind(_legacy("RMSprop"), per_task=True),
    "sgd": OptimizerKind(_legacy("SGD")),
    # FTRL works a variable's value out anew from its accumulators, so nothing else may move the variable.
    "ftrl": OptimizerKind(_legacy("Ftrl"), weight_decay=False, l1="l1_regularization_strength"),
}
