"""Optimisers per group of variables, and optimiser moments kept separately per task.

The optimisers themselves are in ``grouped``, ``per_task`` and ``average``; importing those imports TensorFlow.
"""

from ranker.optimizers.schedules import SCHEDULES, learning_rate
from ranker.optimizers.table import OPTIMIZERS, OptimizerKind

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerKind", "learning_rate"]
