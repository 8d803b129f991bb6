"""The state of a task that is fitted on labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TaskState:
    """What a task's kind was fitted to on the labels of the training rows: plain arrays by name, to save them."""

    arrays: Mapping[str, NDArray[Any]]
