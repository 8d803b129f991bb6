"""Label columns of a log -> arrays in the schema's task order."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ranker.encoding.columns import Column, ColumnError, Floats, Mask, numbers
from ranker.schema import Binary, Schema


class Labels(NamedTuple):
    """Values [N, T] and whether each is known [N, T]; an unknown value is 0.

    A task given another has the value 0 where the other's label is 0, and is known there: the label of an
    impression, not of a click.
    """

    values: Floats
    known: Mask


def encode_labels(schema: Schema, columns: Mapping[str, Column]) -> Labels:
    """Check and stack the labels. Raises ``ColumnError`` for a binary label outside {0, 1} and the like."""
    values, known = {}, {}
    for name, task in schema.tasks.items():
        column = schema.column(name)
        value = numbers(columns[column], column)
        present = ~np.isnan(value)
        if isinstance(task, Binary):
            _check(column, value, np.isin(value, (0.0, 1.0)) | ~present, "a label in {0, 1}")
        elif task.transform == "log1p":
            _check(column, value, (value >= 0) | ~present, "a value of at least 0, as log1p needs")
        if task.mask is not None:
            mask = numbers(columns[task.mask], task.mask)
            _check(task.mask, mask, np.isin(mask, (0.0, 1.0)), "a mask in {0, 1}")
            present &= mask == 1
        values[name], known[name] = np.where(present, value, 0.0), present
    for name in sorted(schema.tasks, key=lambda task: len(list(schema.parents(task)))):  # parents first
        parent = schema.tasks[name].given
        if parent is not None:
            applies = values[parent] == 1
            values[name] = np.where(applies, values[name], 0.0)
            known[name] = known[parent] & (known[name] | ~applies)
    names = list(schema.tasks)
    return Labels(np.stack([values[n] for n in names], axis=1), np.stack([known[n] for n in names], axis=1))


def label_columns(schema: Schema) -> list[str]:
    """Columns of the log that labels and masks are read from, without repeats."""
    masks = [task.mask for task in schema.tasks.values() if task.mask is not None]
    return list(dict.fromkeys([*(schema.column(name) for name in schema.tasks), *masks]))


def _check(column: str, values: Floats, fits: Mask, expected: str) -> None:
    if not fits.all():
        row = int(np.argmin(fits))
        raise ColumnError(column, row, float(values[row]), expected)
