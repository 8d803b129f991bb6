"""Raw columns of a log as plain arrays, as fusions and metrics read them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged
from ranker.encoding.columns import numbers
from ranker.schema import Schema
from training.config.experiment import ConfigError


def values_of(schema: Schema, column: str, raw: Column) -> NDArray[Any]:
    """A raw column as fusions and metrics read it: [N], or [N, W] of a feature of lists, with missing values last.

    Raises ``ConfigError`` for lists that belong to no such feature, and ``ColumnError`` for lists of the wrong type.
    """
    for name, feature in schema.features.items():
        if schema.column(name) == column and (listed := feature.listed(raw, column)) is not None:
            return listed
    return plain(raw, column)


def plain(column: Column, name: str) -> NDArray[Any]:
    """A column as an array [N]: numbers or text, with NaN or None for missing values.

    Raises ``ConfigError`` for a column of lists.
    """
    if isinstance(column, Ragged):
        raise ConfigError(f"column {name!r} holds lists; fusions and their metrics need one value per row")
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return numbers(column, name)
    if isinstance(column, np.ma.MaskedArray):
        if not np.ma.getmaskarray(column).any():
            return np.asarray(column)
        return np.ma.filled(column.astype(np.float64), np.nan)
    if isinstance(column, np.ndarray):
        return column
    values = np.empty(len(column), dtype=object)
    values[:] = list(column)
    return values
