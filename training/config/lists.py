"""The lists that tasks with a list loss learn from: one column of the log for all of them."""

from collections.abc import Mapping
from typing import Any

from ranker.schema import Schema


def with_group_by(data: Any) -> Any:
    """A config's content with ``evaluation.group_by`` set to the list losses' column if it is not set."""
    evaluation = _section(data, "evaluation")
    losses = (_section(task, "rank_loss") for task in _section(_section(data, "schema"), "tasks").values())
    group = next((name for loss in losses if isinstance(name := loss.get("group"), str)), None)
    if group is None or evaluation.get("group_by") is not None or not isinstance(data.get("evaluation", {}), Mapping):
        return data
    return {**data, "evaluation": {**evaluation, "group_by": group}}


def _section(data: Any, key: str) -> Mapping[str, Any]:
    """A section of a config's content; empty if it is not there or no mapping, which is reported elsewhere."""
    found = data.get(key) if isinstance(data, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def list_column(schema: Schema, group_by: str | None) -> str | None:
    """The column of the lists: that of the first task whose list loss names one, else ``group_by``.

    ``None`` if no task has a list loss.
    """
    losses = [task.rank_loss for task in schema.tasks.values() if task.rank_loss is not None]
    return next((loss.group for loss in losses if loss.group is not None), group_by) if losses else None


def check_lists(schema: Schema, group_by: str | None, trainable: bool) -> None:
    """Raise ``ValueError``, naming the task, for list losses without a column, or with a column that cannot be."""
    column = list_column(schema, group_by)
    outcomes = {name: task for task, kind in schema.tasks.items() for name in kind.outcomes(task)}
    for name, task in schema.tasks.items():
        if task.rank_loss is None:
            continue
        path = f"schema.tasks.{name}.rank_loss"
        if not trainable and task.list_share < 1:
            raise ValueError(
                f"{path}: the architecture fits trees to the rows of {name!r}, not to its lists; use another one, or a "
                "task of kind relevance"
            )
        if column is None:
            raise ValueError(
                f"{path}.group: names no column; set it, or evaluation.group_by, to the column whose equal values are "
                "one list, such as request_id"
            )
        own = task.rank_loss.group or group_by
        if own != column:
            raise ValueError(
                f"{path}.group: is {own!r}, and another task's is {column!r}; a batch keeps the lists of one column "
                "together, so all tasks must name the same"
            )
        if column in outcomes:
            raise ValueError(f"{path}.group: {column!r} is the label or mask of {outcomes[column]!r}")
