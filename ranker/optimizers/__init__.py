"""How variables are moved: an optimiser for each group of them, and moments kept apart by task.

The optimisers themselves are in ``grouped``, ``per_task`` and ``average``, whose import brings TensorFlow.
"""

from ranker.optimizers.schedules import SCHEDULES, learning_rate
from ranker.optimizers.table import OPTIMIZERS, OptimizerKind

__all__ = ["OPTIMIZERS", "SCHEDULES", "OptimizerKind", "learning_rate"]
