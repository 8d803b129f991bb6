"""Optimisers by config name: Keras 2's legacy ones, which TFRS' CompositeOptimizer can combine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ranker.lazy_tensorflow import tf


class OptimizerKind(NamedTuple):
    """How to create an optimiser (from ``learning_rate`` and ``clipnorm``), and what it supports."""

    make: Callable[..., tf.keras.optimizers.legacy.Optimizer]
    per_task: bool = False
    """Whether it normalises by squared gradients, with steps independent of the variable's value."""
    weight_decay: bool = True
    """Whether decoupled weight decay can be combined with it."""
    l1: str | None = None
    """Name of its L1 penalty argument, if any."""
    rows_alone: bool = False
    """Whether a step moves only the rows of a table, and their moments, that the batch read; others decay them all."""


def _legacy(name: str, **options: float) -> Callable[..., Any]:
    """Make Keras's class of this name, looked up when the optimiser is made."""
    return lambda **given: getattr(tf.keras.optimizers.legacy, name)(**options, **given)


OPTIMIZERS = {
    "adam": OptimizerKind(_legacy("Adam"), per_task=True),
    # Losses are batch means, so one id's gradient is tiny: with Keras' default accumulator of 0.1, rare ids would
    # barely move for many epochs.
    "adagrad": OptimizerKind(_legacy("Adagrad", initial_accumulator_value=1e-8), per_task=True, rows_alone=True),
    "rmsprop": OptimizerKind(_legacy("RMSprop"), per_task=True),
    "sgd": OptimizerKind(_legacy("SGD"), rows_alone=True),
    # FTRL recomputes a variable from its accumulators, so nothing else may change the variable.
    "ftrl": OptimizerKind(_legacy("Ftrl"), weight_decay=False, l1="l1_regularization_strength", rows_alone=True),
}
