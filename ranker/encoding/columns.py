"""Raw columns, as a log or a request gives them, to typed arrays.

A column is a NumPy array, a masked array, a :class:`Ragged`, or a plain list with ``None`` for missing values.
Every function here raises :class:`ColumnError` naming the column, the row and the value that does not fit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

MISSING = np.iinfo(np.int64).min
"""Stands for a missing value in an array of integers; no id of a log may have this value."""


class ColumnError(ValueError):
    """A value that does not fit its column: ``column``, ``row`` (counted from 0 in the batch) and ``value``."""

    def __init__(self, column: str, row: int, value: object, expected: str) -> None:
        self.column, self.row, self.value, self.expected = column, row, value, expected
        super().__init__(f"column {column!r}, row {row}: {value!r} is not {expected}")


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths: row ``i`` holds ``values[offsets[i]:offsets[i + 1]]``."""

    values: Any
    offsets: Integers

    def __len__(self) -> int:
        return len(self.offsets) - 1


Column: TypeAlias = "NDArray[Any] | Ragged | Sequence[Any]"


def integers(column: Column, name: str) -> Integers:
    """Integers [N] with :data:`MISSING` for null; floats are taken where they are whole, NaN being null."""
    if isinstance(column, np.ma.MaskedArray):
        data = np.array(column.data, dtype=np.int64)
        data[np.ma.getmaskarray(column)] = MISSING
        return data
    if isinstance(column, np.ndarray) and column.dtype.kind in "iub":
        return column.astype(np.int64, copy=False)
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        missing = np.isnan(column)
        whole = missing | (column == np.floor(column))
        _require(whole, column, name, "a whole number")
        return np.where(missing, MISSING, np.nan_to_num(column)).astype(np.int64)
    if isinstance(column, Ragged):
        raise ColumnError(name, 0, "a list", "one integer a row")
    try:
        if None not in column:
            array = np.array(column)
            if array.dtype.kind in "iu" and array.ndim == 1:
                return array.astype(np.int64, copy=False)
    except (ValueError, TypeError, OverflowError):
        pass  # the loop below finds the row
    return np.array([_integer(value, name, row) for row, value in enumerate(column)], dtype=np.int64)


def _integer(value: object, name: str, row: int) -> int:
    if value is None:
        return int(MISSING)
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ColumnError(name, row, value, "an integer")
    if not -(2**63) < value < 2**63:
        raise ColumnError(name, row, value, "an integer of 64 bits")
    return int(value)


def strings(column: Column, name: str) -> list[str | None]:
    """Strings [N] with ``None`` for null."""
    if isinstance(column, Ragged):
        raise ColumnError(name, 0, "a list", "one string a row")
    values: list[Any] = column.tolist() if isinstance(column, np.ndarray) else list(column)
    for row, value in enumerate(values):
        if value is not None and not isinstance(value, str):
            raise ColumnError(name, row, value, "a string")
    return values


def numbers(column: Column, name: str) -> Floats:
    """Numbers [N] with NaN for null; infinite values are refused."""
    if isinstance(column, np.ma.MaskedArray):
        column = np.ma.filled(column.astype(np.float64), np.nan)
    if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
        array = column.astype(np.float64, copy=False)
    elif isinstance(column, Ragged):
        raise ColumnError(name, 0, "a list", "one number a row")
    else:
        array = np.array([_number(value, name, row) for row, value in enumerate(column)], dtype=np.float64)
    _require(~np.isinf(array), array, name, "a finite number")
    return array


def _number(value: object, name: str, row: int) -> float:
    if value is None:
        return np.nan
    if isinstance(value, bool | np.bool_):
        return float(value)
    if not isinstance(value, int | float | np.integer | np.floating):
        raise ColumnError(name, row, value, "a number")
    return float(value)


def ragged(column: Column, name: str, separator: str | None) -> Ragged:
    """Lists [N] of values; null is an empty list, and with a separator text is split and stripped.

    Pieces of split text are strings; the caller turns them into integers where its vocabulary holds integers.
    """
    if isinstance(column, Ragged):
        return column
    rows: list[Any] = []
    for row, value in enumerate(column.tolist() if isinstance(column, np.ndarray) else column):
        if value is None:
            rows.append(())
        elif separator is not None and isinstance(value, str):
            rows.append([piece.strip() for piece in value.split(separator) if piece.strip()])
        elif separator is None and isinstance(value, list | tuple | np.ndarray):
            rows.append(value)
        else:
            expected = f"text separated by {separator!r}" if separator is not None else "a list"
            raise ColumnError(name, row, value, expected)
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(value) for value in rows], out=offsets[1:])
    return Ragged(values=[item for value in rows for item in value], offsets=offsets)


def vectors(column: Column, name: str, size: int) -> NDArray[np.float32]:
    """Vectors [N, size] of finite numbers; null is all zeros."""
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.shape[1] == size:
        array = column.astype(np.float32, copy=False)
    else:
        lists = ragged(column, name, None)
        lengths = np.diff(lists.offsets)
        _require(
            (lengths == size) | (lengths == 0),
            lengths,
            name,
            f"a vector of {size} numbers (its length is not)",
        )
        array = np.zeros((len(lists), size), dtype=np.float32)
        array[lengths == size] = numbers(lists.values, name).reshape(-1, size)
    _require(np.asarray(np.isfinite(array).all(axis=1)), array, name, "a vector of finite numbers")
    return array


def pad(lists: Ragged, ids: NDArray[np.int32], length: int, keep: Callable[[Integers], Integers]) -> NDArray[np.int32]:
    """Flat ids of ``lists`` -> [N, length], zeros behind; ``keep`` maps row lengths to the first kept position."""
    lengths = np.diff(lists.offsets)
    first = lists.offsets[:-1] + keep(lengths)
    steps = np.arange(length)
    within = steps < np.minimum(lengths, length)[:, None]
    padded = np.zeros((len(lists), length), dtype=np.int32)
    padded[within] = ids[(first[:, None] + steps)[within]]
    return padded


def _require(fits: Mask, column: NDArray[Any], name: str, expected: str) -> None:
    if not fits.all():
        row = int(np.argmin(fits))
        value = column[row]
        raise ColumnError(name, row, value.tolist() if hasattr(value, "tolist") else value, expected)
