"""Optimisers per group of variables, and optimiser moments kept separately per task."""

from ranker.optimizers.average import WeightAverage
from ranker.optimizers.grouped import Group, GroupedOptimizer, averaged, kept_apart
from ranker.optimizers.per_task import PerTaskOptimizer, TaskParts, task_parts
from ranker.optimizers.schedules import SCHEDULES, learning_rate
from ranker.optimizers.table import OPTIMIZERS, OptimizerKind

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Group",
    "GroupedOptimizer",
    "OptimizerKind",
    "PerTaskOptimizer",
    "TaskParts",
    "WeightAverage",
    "averaged",
    "kept_apart",
    "learning_rate",
    "task_parts",
]
