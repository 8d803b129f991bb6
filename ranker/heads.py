"""Names of the heads of a model: one a task, and those that a funnel trains beside them."""

from typing import Self


class ExtraHead(str):
    """Name of a head that a funnel adds, such as ``buy.imputation``: trained with its ``task``, never served."""

    task: str

    def __new__(cls, task: str, role: str) -> Self:
        """Name the head by its task and by what it estimates."""
        name = super().__new__(cls, f"{task}.{role}")
        name.task = task
        return name


def task_of(head: str) -> str:
    """The task that a head belongs to."""
    return head.task if isinstance(head, ExtraHead) else head
