"""Label columns of a log -> arrays in the schema's task order."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ranker.encoding.columns import LARGEST, Column, Floats, Mask, common_rows, numbers, require
from ranker.encoding.formulas import computed
from ranker.schema import Schema, Task


class Labels(NamedTuple):
    """Label values [N, T] and whether each is known [N, T]; unknown values are 0.

    A conditional task has the known label 0 where its condition's label is 0: labels are per impression, not per click.
    Contradicting rows are in ``conflicts`` [N, T], and the task's ``given_conflicts`` decides: ``mask`` makes the label
    unknown, ``drop`` adds the row to ``dropped`` [N], which callers remove.
    """

    values: Floats
    known: Mask
    conflicts: Mask
    dropped: Mask

    def at(self, rows: Mask) -> "Labels":
        """Select rows by a mask [N]."""
        return Labels(self.values[rows], self.known[rows], self.conflicts[rows], self.dropped[rows])


def encode_labels(schema: Schema, columns: Mapping[str, Column]) -> Labels:
    """Check and stack the labels. Raises ``ColumnError`` for a binary label outside {0, 1} and the like.

    A formula's label is unknown where it evaluates to null. Values where the task's ``mask`` is 0 are not checked.
    Where the condition's label is 0 or unknown, an invalid label is still an error, except an infinite value of a
    formula; where it is 0, any label but 0 is a conflict.
    """
    rows = common_rows(columns, label_columns(schema))
    names = list(schema.tasks)
    values = np.zeros((rows, len(names)))
    known = np.zeros((rows, len(names)), dtype=bool)
    conflicts = np.zeros((rows, len(names)), dtype=bool)
    dropped = np.zeros(rows, dtype=bool)
    for name in sorted(names, key=lambda task: len(list(schema.parents(task)))):  # parents first
        task, at = schema.tasks[name], names.index(name)
        value, column, null = _read(task, name, columns)
        used = ~null
        if task.mask is not None:
            mask = numbers(columns[task.mask], task.mask)
            require((mask == 0) | (mask == 1), mask, task.mask, "a mask in {0, 1}")
            used &= mask == 1
        finite = used & np.isfinite(value)
        follows = np.zeros(rows, dtype=bool)
        if task.given is not None:
            parent = names.index(task.given)
            follows = known[:, parent] & (values[:, parent] == 0)
            conflict = finite & follows & task.contradicts(value)
            conflicts[:, at] = conflict
            used &= known[:, parent] & (values[:, parent] == 1)
            if task.given_conflicts == "mask":
                follows &= ~conflict
            elif task.given_conflicts == "drop":
                dropped |= conflict
        place = f" (tasks.{name}.label)" if task.label is not None else ""
        require(~used | (np.abs(value) <= LARGEST), value, column, f"a finite number{place}")
        fits = task.allowed(value)
        require(~finite | fits, value, column, f"{task.expects}{place}{_excluded(finite & ~fits, used, name, task)}")
        values[used, at] = value[used]
        known[:, at] = used | follows
    return Labels(values, known, conflicts, dropped)


def label_columns(schema: Schema) -> list[str]:
    """Distinct log columns of labels and masks."""
    return list(dict.fromkeys(column for name, task in schema.tasks.items() for column in task.label_columns(name)))


def _excluded(wrong: Mask, used: Mask, name: str, task: Task) -> str:
    """Advice for the first wrong row [N] if ``given`` excludes it from ``used`` [N]."""
    if not wrong.any() or used[np.argmax(wrong)]:
        return ""
    return (
        f", although the label of {task.given!r} (tasks.{name}.given) is not 1 there; where there is no label, "
        f"write null, or 0 in the column named by tasks.{name}.mask"
    )


def _read(task: Task, name: str, columns: Mapping[str, Column]) -> tuple[Floats, str, Mask]:
    """A task's label [N], its name in errors, and a mask of unknown labels [N]."""
    if task.label is None:
        column = task.column or name
        value = numbers(columns[column], column)
        return value, column, np.isnan(value)
    value, null = computed(task.label, columns)
    return value, task.label, null & np.isnan(value)
