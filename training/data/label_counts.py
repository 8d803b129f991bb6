"""Counts each task's known and positive labels, and labels that contradict its ``given`` task."""

from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Labels
from ranker.log_files.log_reader import DataError
from ranker.schema import Schema, Task
from ranker.tasks import GivenConflicts

TOLERATED = 0.01
"""Fraction of a task's positive labels that may contradict `given` before `given_conflicts` is required."""


class LabelCounts:
    """Counts [T] over all added labels; conflicts include those in dropped rows."""

    def __init__(self, schema: Schema) -> None:
        self._tasks = schema.tasks
        self.rows = 0
        self.known, self.positive, self.conflicts = np.zeros((3, len(schema.tasks)), dtype=np.int64)

    def add(self, labels: Labels) -> None:
        """Add rows to the counts."""
        kept = labels.at(~labels.dropped)
        self.rows += len(labels.known)
        self.known += self._informative(kept).sum(axis=0)
        self.positive += (kept.known & (kept.values != 0)).sum(axis=0)
        self.conflicts += labels.conflicts.sum(axis=0)

    def join(self, other: "LabelCounts") -> None:
        """Add the counts of other rows."""
        self.rows += other.rows
        self.known += other.known
        self.positive += other.positive
        self.conflicts += other.conflicts

    def _informative(self, labels: Labels) -> NDArray[np.bool_]:
        """Mask [N, T] of known labels; amounts count only where their ``given`` task is positive."""
        informative, names = labels.known.copy(), list(self._tasks)
        for at, task in enumerate(self._tasks.values()):
            if task.given is not None and not task.probability:
                parent = names.index(task.given)
                informative[:, at] &= labels.known[:, parent] & (labels.values[:, parent] != 0)
        return informative

    def conflicts_of(self) -> dict[str, int]:
        """Number of contradicting labels, by task with ``given``."""
        return {
            name: int(count)
            for (name, task), count in zip(self._tasks.items(), self.conflicts, strict=True)
            if task.given is not None
        }

    def check_conflicts(self) -> list[str]:
        """One line per task with contradictions. Raises ``DataError`` if there are many and no rule is set."""
        return [
            self._conflict(name, task, int(count), int(positive + count))
            for (name, task), count, positive in zip(self._tasks.items(), self.conflicts, self.positive, strict=True)
            if count
        ]

    def check_learnable(self, learnt: Container[str] = ()) -> list[str]:
        """Raise ``DataError`` for a task whose training labels are all unknown or all of one class.

        Returns a warning instead for each of the tasks that an earlier fit has ``learnt``.
        """
        warnings = []
        for (name, task), known, positive in zip(self._tasks.items(), self.known, self.positive, strict=True):
            why = task.nothing_to_learn(int(known), int(positive)) if known else "no label is known"
            if why is not None:
                masked = f", where {task.mask!r} is 1" if task.mask is not None else ""
                text = f"tasks.{name}: {why} in the {self.rows:,} training rows ({task.source(name)}{masked})"
                if name not in learnt:
                    raise DataError(f"{text}, so there is nothing to learn; fix the labels, or remove the task")
                warnings.append(f"caution: {text}, so these rows teach nothing more about it")
        return warnings

    def _conflict(self, name: str, task: Task, count: int, positives: int) -> str:
        parent = self._tasks[str(task.given)]
        summary = (
            f"tasks.{name}: the label ({task.source(name)}) {task.contradiction} in {positives:,} rows, and in "
            f"{count:,} of them ({count / positives:.1%}) the label of {task.given!r}, which it is given, is 0"
        )
        if task.given_conflicts is not None:
            return f"{summary}; given_conflicts: {task.given_conflicts} {_MEANINGS[task.given_conflicts]}"
        if count <= TOLERATED * positives:
            return f"{summary}; they count as 0. Set `given_conflicts` to drop, mask or keep to choose explicitly"
        fix = ""
        if task.binary_labels and parent.label is None and task.label is None:
            columns = f"max({parent.column or task.given}, {task.column or name})"
            fix = f"If a {name} implies a {task.given}, write tasks.{task.given}.label: {columns}. "
        raise DataError(
            f"{summary}. {fix}If tasks.{name} does not need {task.given!r} first, remove `given`. Or set "
            f"tasks.{name}.given_conflicts: drop (leave these rows out), mask (the label is unknown there) or keep "
            "(the label counts as 0)"
        )


def meaning(schema: Schema, given_conflicts: GivenConflicts | None) -> Schema:
    """The schema with ``given_conflicts`` replaced for every task with ``given``; unchanged for None."""
    if given_conflicts is None:
        return schema
    tasks = {
        name: task.model_copy(update={"given_conflicts": given_conflicts}) if task.given is not None else task
        for name, task in schema.tasks.items()
    }
    return schema.model_copy(update={"tasks": tasks})


_MEANINGS = {
    "drop": "leaves these rows out",
    "mask": "takes the label as unknown there",
    "keep": "takes the label as 0 there",
}
