"""Optimisers by config name: Keras 2's legacy ones, which TFRS' CompositeOptimizer can combine."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf


class OptimizerKind(NamedTuple):
    """How to create an optimiser (from ``learning_rate`` and ``clipnorm``), and what it supports."""

    make: Callable[..., tf.keras.optimizers.legacy.Optimizer]
    per_task: bool = False
    """Whether it normalises by squared gradients, with steps independent of the variable's value."""
    weight_decay: bool = True
    """Whether decoupled weight decay can be combined with it."""
    l1: str | None = None
    """Name of its L1 penalty argument, if any."""


OPTIMIZERS = {
    "adam": OptimizerKind(tf.keras.optimizers.legacy.Adam, per_task=True),
    # Losses are batch means, so one id's gradient is tiny: with Keras' default accumulator of 0.1, rare ids would
    # barely move for many epochs.
    "adagrad": OptimizerKind(
        partial(tf.keras.optimizers.legacy.Adagrad, initial_accumulator_value=1e-8), per_task=True
    ),
    "rmsprop": OptimizerKind(tf.keras.optimizers.legacy.RMSprop, per_task=True),
    "sgd": OptimizerKind(tf.keras.optimizers.legacy.SGD),
    # FTRL recomputes a variable from its accumulators, so nothing else may change the variable.
    "ftrl": OptimizerKind(tf.keras.optimizers.legacy.Ftrl, weight_decay=False, l1="l1_regularization_strength"),
}
