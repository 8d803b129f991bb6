"""Names of a model's heads: one per task, plus extra heads of a funnel."""

from typing import Self


class ExtraHead(str):
    """Name of a funnel's extra head, such as ``buy.imputation``: trained with its ``task``, never served."""

    task: str

    def __new__(cls, task: str, role: str) -> Self:
        """Build the name from the task and the estimated quantity."""
        name = super().__new__(cls, f"{task}.{role}")
        name.task = task
        return name


def task_of(head: str) -> str:
    """The task that a head belongs to."""
    return head.task if isinstance(head, ExtraHead) else head
