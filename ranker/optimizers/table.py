"""The optimisers that a config can name. They are Keras 2's legacy ones, which TFRS' CompositeOptimizer composes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf


class OptimizerKind(NamedTuple):
    """How to make an optimiser (from ``learning_rate`` and ``clipnorm``), and what it can be asked for."""

    make: Callable[..., tf.keras.optimizers.legacy.Optimizer]
    per_task: bool = False
    """Whether it keeps squares of gradients, and moves by a step that does not depend on the variable's value."""
    weight_decay: bool = True
    """Whether a variable may be shrunk beside it."""
    l1: str | None = None
    """Its own name for an L1 penalty, if it has one."""


OPTIMIZERS = {
    "adam": OptimizerKind(tf.keras.optimizers.legacy.Adam, per_task=True),
    # Losses are means over a batch, so one id's gradient is tiny: from Keras' default accumulator of 0.1 it would
    # take many epochs before rare ids moved at all.
    "adagrad": OptimizerKind(
        partial(tf.keras.optimizers.legacy.Adagrad, initial_accumulator_value=1e-8), per_task=True
    ),
    "rmsprop": OptimizerKind(tf.keras.optimizers.legacy.RMSprop, per_task=True),
    "sgd": OptimizerKind(tf.keras.optimizers.legacy.SGD),
    # FTRL works a variable's value out anew from its accumulators, so nothing else may move the variable.
    "ftrl": OptimizerKind(tf.keras.optimizers.legacy.Ftrl, weight_decay=False, l1="l1_regularization_strength"),
}
