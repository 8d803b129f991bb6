"""Converts columns of requests, in whatever form they were read, to Arrow arrays of the log's types."""

from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged, Text


def arrow_values(columns: Sequence[Column], kind: Any) -> Any:
    """Join columns to one Arrow array of a type. Values that the type cannot hold become null: the log never fails."""
    arrays = [column for column in columns if type(column) is np.ndarray and column.dtype.kind in "iufM"]
    if len(arrays) == len(columns) and not pa.types.is_nested(kind) and arrays:
        joined = np.concatenate(arrays)
        if len({array.dtype for array in arrays}) == 1 and (found := _of_array(joined, kind)) is not None:
            return found
    values = list(chain.from_iterable(map(_plain, columns)))
    try:
        return pa.array(values, kind, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError, OverflowError):
        return pa.array([_fitting(value, kind) for value in values], kind, from_pandas=True)


def _of_array(values: NDArray[Any], kind: Any) -> Any:
    """An array converted as a whole; ``None`` if that may change a value."""
    if values.dtype.kind == "M":
        return pa.array(values, kind) if pa.types.is_timestamp(kind) else None
    if pa.types.is_timestamp(kind):  # numbers of microseconds; missing ones are NaN
        if values.dtype.kind == "f":
            missing = np.isnan(values)
            return pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing).cast(kind)
        return pa.array(values.astype(np.int64)).cast(kind)
    if pa.types.is_floating(kind):
        return pa.array(values.astype(np.float64, copy=False), kind, from_pandas=True)
    if pa.types.is_integer(kind) and values.dtype.kind in "iu" and values.dtype.itemsize == 8:
        signed = pa.types.is_signed_integer(kind)
        return pa.array(values, kind) if signed == (values.dtype.kind == "i") else None
    return None


def _plain(column: Column) -> Sequence[Any]:
    """Python values of a column."""
    if isinstance(column, np.ndarray):
        found: list[Any] = column.tolist()
        return found
    if isinstance(column, Text):
        return column.tolist()
    if isinstance(column, Ragged):
        values, bounds = _plain(column.values), column.offsets.tolist()
        return [values[start:stop] for start, stop in pairwise(bounds)]
    return column


def _fitting(value: Any, kind: Any) -> Any:
    """A value of the type, or ``None``."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [_fitting(each, kind.value_type) for each in value] if isinstance(value, list | tuple) else None
    if pa.types.is_string(kind):
        return _text(value)
    if pa.types.is_integer(kind) and isinstance(value, float) and not value.is_integer():
        return None
    try:
        convert = float if pa.types.is_floating(kind) else int
        return pa.scalar(convert(value), pa.int64() if pa.types.is_timestamp(kind) else kind).as_py()
    except (pa.ArrowInvalid, TypeError, ValueError, OverflowError):
        return None


def _text(value: Any) -> str | None:
    text = value if isinstance(value, str) else str(value)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, which JSON can hold
        return None
    return text
