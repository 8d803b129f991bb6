"""Columns of lists, of separated text and of vectors."""

from collections.abc import Callable
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import LARGEST_INPUT, Column, ColumnError, Integers, Ragged, numbers, require
from ranker.encoding.declared import parsed
from ranker.encoding.vocabulary import ValueType
from ranker.schema import Multi, Sequence

T = TypeVar("T")


def table_of(name: str, feature: Multi | Sequence) -> str:
    """Name of the feature whose coder and table a list feature uses."""
    return feature.shares if isinstance(feature, Sequence) else name


def ragged(column: Column, name: str, separator: str | None) -> Ragged:
    """Lists [N] of values; null is an empty list, and with a separator text is split and stripped.

    Pieces of split text are strings; the caller turns them into integers where its vocabulary holds integers.
    """
    if isinstance(column, Ragged):
        return column
    rows: list[Any] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    if not {list}.issuperset(map(type, rows)):
        rows = [_items(value, name, row, separator) for row, value in enumerate(rows)]
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(list(map(len, rows)), out=offsets[1:])
    return Ragged(values=list(chain.from_iterable(rows)), offsets=offsets)


def _items(value: object, name: str, row: int, separator: str | None) -> list[Any]:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return []
    if isinstance(value, str) and separator is not None:
        return [piece for part in value.split(separator) if (piece := part.strip())]
    if isinstance(value, int) and not isinstance(value, bool) and separator is not None:
        return [value]  # a column that never holds more than one
    if isinstance(value, np.ndarray) and value.ndim == 1:
        plain: list[Any] = value.tolist()
        return plain
    if isinstance(value, list | tuple):
        return list(value)
    text = f", or text separated by {separator!r}" if separator is not None else ""
    raise ColumnError(name, row, value, f"a list{text}")


def split(column: Column, name: str, feature: Multi | Sequence, kind: ValueType | None) -> Ragged:
    """Lists [N] of a column; pieces of text become integers where the vocabulary holds integers."""
    lists = ragged(column, name, feature.separator)
    if feature.separator is None or kind not in ("integer", "unsigned"):
        return lists
    return Ragged(list_codes(parsed, lists, name), lists.offsets)


def list_codes(codes: Callable[[Any, str], T], lists: Ragged, name: str) -> T:
    """Apply ``codes`` to the flat values of lists; an error names the row of the list, not of the flat value."""
    try:
        return codes(lists.values, name)
    except ColumnError as error:
        row = int(np.searchsorted(lists.offsets, error.row, side="right")) - 1
        raise ColumnError(name, row, error.value, f"a list whose every value is {error.expected}") from None


def pad(lists: Ragged, ids: NDArray[np.int32], length: int, keep: Callable[[Integers], Integers]) -> NDArray[np.int32]:
    """Flat ids of ``lists`` -> [N, length], zeros behind; ``keep`` maps row lengths to the first kept position."""
    lengths = np.diff(lists.offsets)
    first = lists.offsets[:-1] + keep(lengths)
    steps = np.arange(length)
    within = steps < np.minimum(lengths, length)[:, None]
    padded = np.zeros((len(lists), length), dtype=np.int32)
    padded[within] = ids[(first[:, None] + steps)[within]]
    return padded


def vectors(column: Column, name: str, size: int) -> NDArray[np.float32]:
    """Vectors [N, size] of finite numbers; null and the empty list are all zeros."""
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.dtype.kind in "iubf":
        return _matrix(column, name, size)
    lists = ragged(column, name, None)
    lengths = np.diff(lists.offsets)
    fits = (lengths == size) | (lengths == 0)
    if not fits.all():
        row = int(np.argmin(fits))
        part = lists.values[lists.offsets[row] : lists.offsets[row + 1]]
        value = part.tolist() if isinstance(part, np.ndarray) else list(part)
        raise ColumnError(name, row, value, f"a vector of {size} numbers; it has {len(value)}")
    flat = list_codes(numbers, lists, name)
    array = np.zeros((len(lists), size), dtype=np.float32)
    array[lengths == size] = flat.reshape(-1, size)
    _require_fitting(array, name)
    return array


def _matrix(matrix: NDArray[Any], name: str, size: int) -> NDArray[np.float32]:
    if matrix.shape[1] != size:
        raise ColumnError(name, 0, matrix[:1].tolist(), f"a vector of {size} numbers; it has {matrix.shape[1]}")
    if isinstance(matrix, np.ma.MaskedArray):
        filled = np.ma.filled(matrix.astype(np.float64), np.nan)
        filled[np.ma.getmaskarray(matrix).all(axis=1)] = 0.0
        matrix = filled
    flat = matrix.reshape(-1)
    offsets = np.arange(len(matrix) + 1) * size
    array: NDArray[np.float32] = list_codes(numbers, Ragged(flat, offsets), name).astype(np.float32).reshape(-1, size)
    _require_fitting(array, name)
    return array


def _require_fitting(array: NDArray[np.float32], name: str) -> None:
    require(np.asarray(~np.isnan(array).any(axis=1)), array, name, "a vector without missing numbers")
    if array.size and np.abs(array).max() > LARGEST_INPUT:
        fits = np.asarray((np.abs(array) <= LARGEST_INPUT).all(axis=1))
        require(fits, array, name, f"a vector of numbers of at most {LARGEST_INPUT:g} in size")
