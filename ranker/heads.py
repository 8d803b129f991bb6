"""Names of a model's heads: one per task, further ones of tasks with several logits, plus extra heads of a funnel."""

from typing import Self


class ExtraHead(str):
    """Name of an extra head, such as ``rating.logit_2``, or a funnel's ``buy.imputation``, which is never served.

    It is trained with its ``task``.
    """

    task: str

    def __new__(cls, task: str, role: str) -> Self:
        """Build the name from the task and the estimated quantity."""
        name = super().__new__(cls, f"{task}.{role}")
        name.task = task
        return name


def task_of(head: str) -> str:
    """The task that a head belongs to."""
    return head.task if isinstance(head, ExtraHead) else head
