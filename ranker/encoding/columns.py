"""Raw columns of a log or request -> typed arrays.

A column is a NumPy array, a masked array, a :class:`Ragged`, a :class:`~ranker.encoding.text.Text`, or a plain list
with ``None`` for missing values; NaN and NaT are missing too. Times are ``datetime64``, converted to numbers as
microseconds since 1970. All functions raise :class:`ColumnError`, which names column, row and value.
"""

import reprlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.text import Text

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

MISSING = np.iinfo(np.int64).min
"""Missing value in integer arrays; ids must not have this value."""
LARGEST = float(np.finfo(np.float32).max)
"""Largest float32: models read 32-bit floats, and larger numbers would become infinite."""
LARGEST_INPUT = 1e12
"""Largest input that is not standardised. Products of a few larger ones overflow, which some engines turn into 0."""
_INTEGER = "an integer from -2**63 + 1 to 2**63 - 1"
_UNSIGNED = "an integer from 0 to 2**64 - 1 other than 2**63, as required with ids of 2**63 and more"
_EXACT = {np.dtype(np.float16): 2.0**11, np.dtype(np.float32): 2.0**24, np.dtype(np.float64): 2.0**53}
"""From these magnitudes on, several integers share one float, so a float id would be ambiguous."""
_NUMBER = "a finite number of at most 3.4e38 in size"


def unequal_lengths(columns: Mapping[str, Sized]) -> dict[str, str]:
    """What is wrong, by name, with columns that are not as long as the first of them."""
    lengths = {name: len(values) for name, values in columns.items()}
    first, count = next(iter(lengths.items()), ("", 0))
    return {
        name: f"has {length} values, but {first} has {count}: all columns must have the same length"
        for name, length in lengths.items()
        if length != count
    }


class _Shown(reprlib.Repr):
    """Formats a value, truncating a long one."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 80

    def repr_int(self, x: int, level: int) -> str:
        """Format an integer; Python refuses to print thousands of digits."""
        return super().repr_int(x, level) if x.bit_length() < 1024 else f"an integer of {x.bit_length()} bits"

    def repr_Decimal(self, x: Decimal, _: int) -> str:  # noqa: N802 - looked up by the type's name
        """Format a decimal with all digits."""
        return f"{x:f}"


_SHOWN = _Shown()


def shortened(value: object) -> str:
    """Format a value, truncating a long one."""
    return _SHOWN.repr(value)


class ColumnError(ValueError):
    """An invalid value: ``column``, ``row`` (from 0 in the batch) and ``value``."""

    def __init__(self, column: str, row: int, value: object, expected: str) -> None:
        self.column, self.row, self.value, self.expected = column, row, value, expected
        super().__init__(column, row, value, expected)

    def __str__(self) -> str:
        return f"column {self.column!r}, row {self.row}: {shortened(self.value)} is not {self.expected}"


@dataclass(frozen=True)
class Ragged:
    """Lists of different lengths: row ``i`` holds ``values[offsets[i]:offsets[i + 1]]``.

    Raises ``ValueError`` unless ``offsets`` is an array of integers that runs from 0 to ``len(values)``.
    """

    values: Any
    offsets: Integers

    def __post_init__(self) -> None:
        offsets = self.offsets
        if not isinstance(offsets, np.ndarray) or offsets.dtype.kind not in "iu" or offsets.ndim != 1:
            raise ValueError(f"offsets must be a 1-d array of integers, got {_SHOWN.repr(offsets)}")
        if not len(offsets) or offsets[0] != 0 or offsets[-1] != len(self.values):
            raise ValueError(f"offsets must run from 0 to {len(self.values)}, got {_SHOWN.repr(offsets.tolist())}")
        if (offsets[1:] < offsets[:-1]).any():
            raise ValueError(f"offsets must not fall, got {_SHOWN.repr(offsets.tolist())}")

    def __len__(self) -> int:
        return len(self.offsets) - 1


class Decimals(np.ndarray[Any, np.dtype[np.float64]]):
    """Floats [N] nearest to decimals, at least one of which is not a 64-bit integer; NaN for null.

    ``exact`` returns the decimals, so that errors show the value as sent; it is unknown for slices of the column.
    """

    exact: Callable[[], list[Decimal | None]] | None = None

    @classmethod
    def of(cls, nearest: Floats, exact: Callable[[], list[Decimal | None]]) -> "Decimals":
        """Build from floats [N] and a function that returns the exact decimals [N]."""
        decimals = nearest.view(cls)
        decimals.exact = exact
        return decimals


Column: TypeAlias = NDArray[Any] | Ragged | Text | Sequence[Any]


def common_rows(columns: Mapping[str, Column], names: Iterable[str]) -> int:
    """Return the common number of rows of the named columns; without names, of all columns, or 1."""
    wanted = list(names) or list(columns)
    rows = 1
    lengths = {}
    for name in wanted:
        if name not in columns:
            raise ColumnError(name, 0, None, "a value; the column is missing")
        lengths[name] = _length(columns[name], name)
    if lengths:
        rows = max(lengths.values())
        for name, length in lengths.items():
            if length != rows:
                raise ColumnError(name, length, None, f"a value; other columns have {rows} rows")
    return rows


def _length(column: Column, name: str) -> int:
    try:
        if not isinstance(column, str | bytes | Mapping):
            return len(column)
    except TypeError:
        pass
    raise ColumnError(name, 0, column, "a column: a list or an array")


def same_type(columns: Sequence[Any], dtype: type[np.int64 | np.float64]) -> NDArray[Any] | None:
    """Stack columns of one length to an array [F, N] if all are lists or arrays of type ``dtype``.

    Arrays may contain NaN and :data:`MISSING`. Returns ``None`` if a column or a list's value has another type.
    """
    if all(type(column) is list for column in columns):
        try:
            # array() rejects other types and None at C speed.
            flat: Any = np.asarray(array("q" if dtype is np.int64 else "d", chain.from_iterable(columns)))
        except (TypeError, OverflowError):
            return None
    elif all(type(column) is np.ndarray and column.dtype == dtype and column.ndim == 1 for column in columns):
        flat = np.concatenate(columns)
    else:
        return None
    stacked: NDArray[Any] = flat.reshape(len(columns), -1)
    return stacked


def integers(column: Column, name: str, unsigned: bool = False) -> Integers:
    """Integers [N] with :data:`MISSING` for null; booleans are 0 and 1, times microseconds since 1970.

    Floats are accepted if they are whole and small enough to be exact. ``unsigned`` integers run from 0 to 2**64 - 1
    and are returned as signed integers of the same bits; 2**63 is rejected, since its bits mean null.
    """
    require_single(column, name, "one integer per row")
    if isinstance(column, Decimals) and column.exact is not None:
        return integers([None if value is None else _whole(value) for value in column.exact()], name, unsigned)
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind == "M":
        column = microseconds(column)
        null = column == MISSING
        return _integer_array(np.where(null, 0, column), name, unsigned, null)
    if isinstance(column, np.ma.MaskedArray) and column.ndim == 1 and column.dtype.kind in "iubf":
        return _integer_array(column.filled(0), name, unsigned, np.ma.getmaskarray(column))
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iubf":
        return _integer_array(column, name, unsigned)
    values = _plain(column)
    try:
        raw = np.asarray(array("Q" if unsigned else "q", values))  # refuses floats, text and None, at C speed
    except (TypeError, OverflowError):
        missing = None in values
        try:
            if missing:
                raw = np.asarray(array("Q" if unsigned else "q", [0 if value is None else value for value in values]))
                return _integer_array(raw, name, unsigned, np.array([value is None for value in values]))
        except (TypeError, OverflowError):
            pass  # the loop below identifies the row
        plain = [_integer(value, name, row, unsigned) for row, value in enumerate(values)]
        null = np.array([value is None for value in plain], dtype=bool)
        filled = np.array([value or 0 for value in plain], dtype=np.uint64 if unsigned else np.int64)
        return _integer_array(filled, name, unsigned, null)
    return _integer_array(raw, name, unsigned)


def _integer_array(values: NDArray[Any], name: str, unsigned: bool, null: Mask | None = None) -> Integers:
    """Convert numbers [N] to integers [N]; ``null`` marks missing values."""
    if values.dtype.kind == "f":
        nan = np.isnan(values)
        null = nan if null is None else null | nan
        values = np.where(nan, 0, values)
        require(np.isfinite(values) & (values == np.floor(values)), values, name, "a whole number")
        exact = _EXACT.get(values.dtype, 2.0**53)
        require(np.abs(values) < exact, values, name, _exact(exact))
        values = values.astype(np.int64)
    if unsigned:
        if len(values) and values.dtype.kind == "i":
            require(values >= 0, values, name, _UNSIGNED)
        bits = values.astype(np.uint64, copy=False)
        if len(bits) and bits.max() >= 2**63:
            require(bits != 2**63, bits, name, _UNSIGNED)
        result = bits.view(np.int64)
    else:
        if len(values) and values.dtype == np.int64 and values.min() == MISSING:
            require(values != MISSING, values, name, _INTEGER)
        if len(values) and values.dtype == np.uint64 and values.max() >= 2**63:
            require(values < 2**63, values, name, _INTEGER)
        result = values.astype(np.int64, copy=False)
    return np.asarray(result if null is None else np.where(null, MISSING, result))


def _whole(value: Decimal) -> int | Decimal:
    return int(value) if value == value.to_integral_value() else value


def _exact(size: float) -> str:
    return f"an exact id: from {size:.0f} on several integers share one float; write ids as integers or as text"


def _integer(value: object, name: str, row: int, unsigned: bool) -> int | None:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return None
    if isinstance(value, float | np.floating) and np.isfinite(value) and value == int(value):
        exact = _EXACT.get(np.dtype(type(value)), 2.0**53)
        if abs(float(value)) >= exact:
            raise ColumnError(name, row, value, _exact(exact))
        value = int(value)
    if not isinstance(value, int | np.integer | np.bool_):
        raise ColumnError(name, row, value, "a whole number" if isinstance(value, Decimal) else "an integer")
    low, high = (-1, 2**64) if unsigned else (-(2**63), 2**63)
    if not low < int(value) < high:
        raise ColumnError(name, row, value, _UNSIGNED if unsigned else _INTEGER)
    return int(value)


def strings(column: Column, name: str) -> list[str | None]:
    """Strings [N] with ``None`` for null."""
    require_single(column, name, "one string per row")
    values = _plain(column)
    if {str, type(None)}.issuperset(map(type, values)):
        return values
    return [_string(value, name, row) for row, value in enumerate(values)]


def _string(value: object, name: str, row: int) -> str | None:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if not isinstance(value, str):
        raise ColumnError(name, row, value, "a string")
    return str(value)


def numbers(column: Column, name: str) -> Floats:
    """Numbers [N] with NaN for null; infinite values and those beyond float32 are rejected."""
    values = unchecked_numbers(column, name)
    too_large = np.abs(values) > LARGEST
    if too_large.any():
        require(~too_large, values, name, _NUMBER)
    return values


def unchecked_numbers(column: Column, name: str) -> Floats:
    """Like :func:`numbers`, for callers that check many columns at once with :func:`require_finite`."""
    require_single(column, name, "one number per row")
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind == "M":
        times = microseconds(column)
        return np.where(times == MISSING, np.nan, times)
    if isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "iubf":
        plain = column.astype(np.float64, copy=False)
        return np.ma.filled(plain, np.nan) if isinstance(plain, np.ma.MaskedArray) else plain
    values = _plain(column)
    try:
        return np.asarray(array("d", values))  # refuses text and None, at C speed
    except (TypeError, OverflowError):
        try:
            return np.asarray(array("d", [np.nan if value is None else value for value in values]))
        except (TypeError, OverflowError):
            return np.array([_number(value, name, row) for row, value in enumerate(values)], dtype=np.float64)


def require_finite(matrix: Floats, sizes: Floats, names: Sequence[str]) -> None:
    """Reject infinite values and those beyond float32 in columns [F, N]; ``sizes`` are absolute values."""
    if (sizes > LARGEST).any():
        for values, name in zip(matrix, names, strict=True):
            numbers(values, name)


def _number(value: object, name: str, row: int) -> float:
    if value is None:
        return np.nan
    if not isinstance(value, bool | int | float | np.bool_ | np.integer | np.floating):
        raise ColumnError(name, row, value, "a number")
    try:
        return float(value)
    except OverflowError:
        raise ColumnError(name, row, value, _NUMBER) from None


def microseconds(times: NDArray[Any]) -> Integers:
    """Microseconds since 1970 of ``datetime64`` [N], rounded down, :data:`MISSING` for NaT."""
    return np.ma.filled(times, np.datetime64("NaT")).astype("datetime64[us]", copy=False).view(np.int64)


def require_single(column: Column, name: str, expected: str) -> None:
    """Raise :class:`ColumnError` for a column of lists, with the first non-empty list."""
    if isinstance(column, Ragged):
        row = int(np.argmax(np.diff(column.offsets) > 0)) if len(column) else 0
        items = column.values[column.offsets[row] : column.offsets[row + 1]] if len(column) else []
        raise ColumnError(name, row, items if isinstance(items, list) else items.tolist(), expected)


def require(fits: Mask, column: NDArray[Any], name: str, expected: str) -> None:
    """Raise :class:`ColumnError` for the first row where ``fits`` [N] is false."""
    if not fits.all():
        row = int(np.argmin(fits))
        raise ColumnError(name, row, column[row].tolist(), expected)


def _plain(column: Any) -> list[Any]:
    if isinstance(column, np.ndarray):
        plain: list[Any] = column.tolist()  # a masked value becomes None
        return plain
    return column if isinstance(column, list) else list(column)
