"""Registry of task kinds by config name; to add one, add a file and a line here."""

from ranker.tasks.base import TASK_KINDS, GivenConflicts, Task, Trait, TreeTarget
from ranker.tasks.binary import Binary
from ranker.tasks.ordinal import Ordinal
from ranker.tasks.regression import Regression
from ranker.tasks.relevance import Relevance

__all__ = [
    "TASK_KINDS",
    "Binary",
    "GivenConflicts",
    "Ordinal",
    "Regression",
    "Relevance",
    "Task",
    "Trait",
    "TreeTarget",
]
