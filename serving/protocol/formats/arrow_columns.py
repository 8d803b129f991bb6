"""Checks whether a column of an Arrow request has the expected type."""

from typing import Any

import numpy as np

from ranker.arrow_columns import missing
from ranker.encoding import Column, ColumnError, Ragged, Text
from ranker.encoding.columns import integers
from ranker.encoding.declared import as_declared
from serving.protocol.column_types import Expected


def fits(column: Column, array: Any, expected: Expected) -> bool:
    """Whether every value of an array, and of the column converted from it, has the expected type."""
    if isinstance(column, list):
        return True  # all nulls
    if not expected.listed:
        return _values_fit(column, expected)
    if not isinstance(column, Ragged):
        return False
    if expected.size is not None:
        lengths = np.diff(column.offsets)
        if not ((lengths == expected.size) | missing(array)).all() or _some_missing(column.values):
            return False
    return _values_fit(column.values, expected)


def _values_fit(values: Any, expected: Expected) -> bool:
    """Accept what training accepts: booleans as 0 and 1, whole floats as ids, times if training saw times.

    Times as text or in another unit do not fit: they are converted, or refused, one by one.
    """
    kind = expected.value
    if isinstance(values, list):
        return True
    if isinstance(values, Ragged):
        return False
    if isinstance(values, np.ndarray) and values.dtype.kind == "M" and not expected.temporal:
        return False
    if expected.temporal and not _are_times(values, expected):
        return False
    if expected.declared is not None:
        return _converted(values, expected)
    if isinstance(values, Text):
        return kind in ("string", "any")
    if values.dtype.kind == "M":
        return True
    if kind == "number":
        return values.dtype.kind != "f" or not np.isinf(values).any()
    return kind != "string" and _are_integers(values, kind == "unsigned")


def _are_times(values: Any, expected: Expected) -> bool:
    if isinstance(values, Text) or values.dtype.kind == "b":
        return False
    guard = expected.guard
    return values.dtype.kind == "M" or guard is None or not guard.wrong(np.ma.filled(values, 0)).any()


def _converted(values: Any, expected: Expected) -> bool:
    assert expected.declared is not None
    try:
        converted = as_declared(values, "", expected.declared)
    except ColumnError:
        return False
    return expected.declared == "string" or _are_integers(converted, expected.declared == "unsigned")


def _are_integers(values: Any, unsigned: bool) -> bool:
    try:
        integers(values, "", unsigned)
    except ColumnError:
        return False
    return True


def _some_missing(values: Any) -> bool:
    if isinstance(values, np.ma.MaskedArray | list):
        return len(values) > 0
    return isinstance(values, np.ndarray) and values.dtype.kind == "f" and bool(np.isnan(values).any())
