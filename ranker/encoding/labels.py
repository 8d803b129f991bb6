"""Label columns of a log -> arrays in the schema's task order."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ranker.encoding.columns import Column, Floats, Mask, common_rows, numbers, require
from ranker.schema import Binary, Schema


class Labels(NamedTuple):
    """Values [N, T] and whether each is known [N, T]; an unknown value is 0.

    A task given another has the value 0 where the other's label is 0, and is known there: the label of an
    impression, not of a click.
    """

    values: Floats
    known: Mask


def encode_labels(schema: Schema, columns: Mapping[str, Column]) -> Labels:
    """Check and stack the labels. Raises ``ColumnError`` for a binary label outside {0, 1} and the like.

    What stands where a mask is 0, or where the task that this one is given has the label 0, is not looked at.
    """
    rows = common_rows(columns, label_columns(schema))
    names = list(schema.tasks)
    values = np.zeros((rows, len(names)))
    known = np.zeros((rows, len(names)), dtype=bool)
    for name in sorted(names, key=lambda task: len(list(schema.parents(task)))):  # parents first
        task, column, at = schema.tasks[name], schema.column(name), names.index(name)
        value = numbers(columns[column], column)
        used = ~np.isnan(value)
        if task.mask is not None:
            mask = numbers(columns[task.mask], task.mask)
            require((mask == 0) | (mask == 1), mask, task.mask, "a mask in {0, 1}")
            used &= mask == 1
        follows = np.zeros(rows, dtype=bool)
        if task.given is not None:
            parent = names.index(task.given)
            used &= known[:, parent] & (values[:, parent] == 1)
            follows = known[:, parent] & (values[:, parent] == 0)
        if isinstance(task, Binary):
            require(~used | (value == 0) | (value == 1), value, column, "a label in {0, 1}")
        elif task.transform == "log1p":
            require(~used | (value >= 0), value, column, "a value of at least 0, as log1p needs")
        values[used, at] = value[used]
        known[:, at] = used | follows
    return Labels(values, known)


def label_columns(schema: Schema) -> list[str]:
    """Columns of the log that labels and masks are read from, without repeats."""
    masks = [task.mask for task in schema.tasks.values() if task.mask is not None]
    return list(dict.fromkeys([*(schema.column(name) for name in schema.tasks), *masks]))
