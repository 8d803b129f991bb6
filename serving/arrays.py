"""Arrow arrays -> columns as the encoder takes them: NumPy views of their buffers, and no Python object a row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged, Text
from serving.expected import Expected

LARGEST_TEXT = 32 * 2**20
"""Bytes of text that one column may stand for: a dictionary or a view names the same bytes again and again."""
MOST_NULLS = 2**20
"""Values that a list of nothing but nulls may stand for: they take no bytes."""


class ColumnTooLargeError(ValueError):
    """A column that stands for far more than it was sent as; its text says how much more."""


def column_of(array: Any) -> Column | None:
    """A column [N] of an array [N] that was validated; ``None`` for types that no feature has.

    Raises ``ColumnTooLargeError``.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return _dictionary(array)
    if pa.types.is_null(kind):
        _require_small(len(array), MOST_NULLS, "values")
        return [None] * len(array)
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        if not array.null_count:
            return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
        return np.ma.MaskedArray(array.fill_null(0).to_numpy(zero_copy_only=False), missing(array))
    if pa.types.is_floating(kind):
        return array.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return] # null is NaN
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _text(array)
    if pa.types.is_string_view(kind):
        return _text(_views(array))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _lists(array)
    return None


def missing(array: Any) -> NDArray[np.bool_]:
    """Which rows [N] are null."""
    mask: NDArray[np.bool_] = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def fits(column: Column, array: Any, expected: Expected) -> bool:
    """Whether every value of an array, and of the column made of it, is of the type that a request must have."""
    if isinstance(column, list):
        return True  # of nulls
    if not expected.listed:
        return _values_fit(column, expected.value)
    if not isinstance(column, Ragged):
        return False
    if expected.size is not None:
        lengths = np.diff(column.offsets)
        if not ((lengths == expected.size) | missing(array)).all() or _some_missing(column.values):
            return False
    return _values_fit(column.values, expected.value)


def _values_fit(values: Any, kind: str) -> bool:
    if isinstance(values, list):
        return True
    if isinstance(values, Text):
        return kind in ("string", "any")
    if not isinstance(values, np.ndarray):
        return False
    if kind == "number":
        return values.dtype.kind in "iu" or (values.dtype.kind == "f" and not np.isinf(values).any())
    if kind == "string" or values.dtype.kind not in "iu":
        return False
    if values.dtype == np.uint64:
        return not (values >= 2**63).any()
    return values.dtype != np.int64 or not (values == -(2**63)).any()


def _some_missing(values: Any) -> bool:
    if isinstance(values, np.ma.MaskedArray | list):
        return len(values) > 0
    return isinstance(values, np.ndarray) and values.dtype.kind == "f" and bool(np.isnan(values).any())


def _text(array: Any) -> Text:
    if not len(array):
        return Text.of([])
    _, offsets, data = array.buffers()
    width = np.int64 if pa.types.is_large_string(array.type) else np.int32
    bounds = np.frombuffer(offsets, dtype=width)[array.offset : array.offset + len(array) + 1].astype(np.int64)
    text = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
    rows = np.arange(len(array))
    if array.null_count:
        rows[missing(array)] = -1
    return Text(text, bounds, rows)


def _views(array: Any) -> Any:
    """Views of strings to strings; the first four of each view's sixteen bytes are the length."""
    views = np.frombuffer(array.buffers()[1], dtype=np.int32)[:: 16 // 4][array.offset : array.offset + len(array)]
    if array.null_count:
        views = views[~missing(array)]
    _require_small(int(views.sum(dtype=np.int64)), LARGEST_TEXT, "bytes of text")
    return array.cast(pa.large_string())


def _dictionary(array: Any) -> Column | None:
    values = column_of(array.dictionary)
    if not isinstance(values, Text):
        return column_of(array.dictionary_decode()) if isinstance(values, np.ndarray) else None
    indices = array.indices
    places = indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if indices.null_count:
        places[missing(indices)] = -1
    rows = np.append(values.rows, -1)[places]
    _require_small(int(np.append(values.lengths, 0)[rows].sum()), LARGEST_TEXT, "bytes of text")
    return Text(values.data, values.offsets, rows)


def _lists(array: Any) -> Ragged | None:
    lengths = pc.list_value_length(array)
    offsets = np.zeros(len(array) + 1, dtype=np.int64)
    np.cumsum(lengths.fill_null(0).to_numpy(zero_copy_only=False), out=offsets[1:])
    if pa.types.is_boolean(array.type.value_type):
        return None  # one bit each: they would be eight times as many as the bytes that came
    values = column_of(array.flatten())
    if values is None or isinstance(values, Ragged):
        return None
    return Ragged(values, offsets)


def _require_small(size: int, most: int, what: str) -> None:
    if size > most:
        raise ColumnTooLargeError(f"stands for {size} {what}, more than the {most} that a column may have")
