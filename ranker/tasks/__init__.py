"""Registry of task kinds by config name; to add one, add a file and a line here."""

from ranker.tasks.base import TASK_KINDS, GivenConflicts, Task, Trait, TreeTarget
from ranker.tasks.binary import Binary
from ranker.tasks.discretised import Discretised
from ranker.tasks.multiclass import Multiclass
from ranker.tasks.ordinal import Ordinal
from ranker.tasks.quantile_of_duration import QuantileOfDuration
from ranker.tasks.regression import Regression
from ranker.tasks.relevance import Relevance
from ranker.tasks.ziln import ZeroInflatedLognormal

__all__ = [
    "TASK_KINDS",
    "Binary",
    "Discretised",
    "GivenConflicts",
    "Multiclass",
    "Ordinal",
    "QuantileOfDuration",
    "Regression",
    "Relevance",
    "Task",
    "Trait",
    "TreeTarget",
    "ZeroInflatedLognormal",
]
