"""Arrow arrays -> encoder columns, with the same rules for logs, items and requests.

====================================  ===============================================================================
Arrow                                 column
====================================  ===============================================================================
integers, booleans                    array, masked where there are nulls
floats                                array, NaN for null
decimals                              integers where all are whole and fit 64 bits, else float64 that knows the decimals
timestamps, dates                     ``datetime64[us]``, NaT for null; nanoseconds are rounded down
text, binary that is UTF-8            :class:`~ranker.encoding.text.Text`
dictionaries, run-end encoded         as their decoded values
lists                                 :class:`~ranker.encoding.columns.Ragged`; a null is an empty list
null                                  a list of ``None``
extension types                       as their storage type
====================================  ===============================================================================

Other types cannot be features or labels: lists of lists, structs, maps, unions, durations, times, intervals.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, ColumnError, Decimals, Ragged
from ranker.encoding.text import Text

_MICROSECONDS = {"s": 10**6, "ms": 10**3, "us": 1}
_DAY = 86_400 * 10**6
_TIME = "a time that microseconds since 1970 can tell in 64 bits"


class ColumnTypeError(ValueError):
    """A column of a type that features and labels cannot have; ``kind`` is the type."""

    def __init__(self, column: str, kind: object) -> None:
        self.column, self.kind = column, kind
        super().__init__(f"column {column!r} is of type {kind}, which features and labels cannot have")


class ColumnTooLargeError(ValueError):
    """A column that is too large once decoded; the message has the sizes."""


@dataclass(frozen=True)
class Limits:
    """Maximum decoded size of an untrusted column.

    Dictionaries and views can refer to the same bytes many times, and nulls take no bytes.
    """

    text: int = 32 * 2**20
    """Maximum bytes of text."""
    values: int = 2**20
    """Maximum number of values in lists of nulls or booleans, overlapping views and runs."""

    def check_text(self, size: int) -> None:
        """Raise ``ColumnTooLargeError`` for too many bytes."""
        self._check(size, self.text, "bytes of text")

    def check_values(self, size: int) -> None:
        """Raise ``ColumnTooLargeError`` for too many values."""
        self._check(size, self.values, "values")

    def _check(self, size: int, most: int, what: str) -> None:
        if size > most:
            raise ColumnTooLargeError(f"decodes to {size} {what}, more than the {most} allowed in a column")


@dataclass(frozen=True)
class _Reader:
    """Converts the arrays of one column. ``distinct`` codes text by its distinct strings."""

    name: str
    limits: Limits | None
    distinct: bool

    def column(self, array: Any) -> Column:
        """Convert an array [N] to a column [N]."""
        kind = array.type
        for fits, read in _READERS:
            if fits(kind):
                column: Column = read(self, array)
                return column
        raise ColumnTypeError(self.name, kind)

    def error(self, row: int, value: object, expected: str) -> ColumnError:
        return ColumnError(self.name, row, value, expected)

    def nulls(self, array: Any) -> Column:
        if self.limits:
            self.limits.check_values(len(array))
        return [None] * len(array)

    def whole(self, array: Any) -> NDArray[Any]:
        """Integers and booleans."""
        if not array.null_count:
            return _numpy(array)
        filled = pc.fill_null(array, pa.scalar(0).cast(array.type))
        return np.ma.MaskedArray(_numpy(filled), missing(array))

    def floats(self, array: Any) -> NDArray[Any]:
        return _numpy(array)

    def decimals(self, array: Any) -> NDArray[Any]:
        for kind in (pa.int64(), pa.uint64()):
            try:
                return self.whole(array.cast(kind))
            except pa.ArrowInvalid:
                pass  # a fraction, or an integer over 64 bits
        nearest = _numpy(array.cast(pa.string()).cast(pa.float64()))  # parsing text rounds to the nearest double
        return Decimals.of(nearest, array.to_pylist)

    def times(self, array: Any) -> NDArray[Any]:
        """Timestamps of any unit and time zone, and dates."""
        kind = array.type
        null = missing(array)
        ticks = _numpy(pc.fill_null(array.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()), 0))
        ticks = ticks.astype(np.int64)
        if pa.types.is_timestamp(kind) and kind.unit == "ns":
            values = ticks // 1000
        else:
            unit = _DAY if pa.types.is_date32(kind) else _MICROSECONDS["ms" if pa.types.is_date64(kind) else kind.unit]
            bad = (ticks > (2**63 - 1) // unit) | (ticks < -((2**63 - 1) // unit))
            if bad.any():
                row = int(np.argmax(bad))
                raise self.error(row, f"{ticks[row]} ({kind})", _TIME)
            values = ticks * unit
        values[null] = MISSING
        return values.view("datetime64[us]")

    def text(self, array: Any) -> Text:
        kind = array.type
        if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
            if self.limits:
                self.limits.check_text(_viewed(array))
            array = array.cast(pa.large_string() if pa.types.is_string_view(kind) else pa.large_binary())
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            array = self._decoded(array)
        if self.distinct:
            return self._of_dictionary(array.dictionary_encode())
        return _text(array)

    def dictionary(self, array: Any) -> Column:
        values = self.column(array.dictionary)
        if isinstance(values, Ragged):
            raise ColumnTypeError(self.name, array.type)
        if isinstance(values, Text):
            return self._of_dictionary(array)
        return self._picked(values, _places(array.indices))

    def runs(self, array: Any) -> Column:
        if self.limits:
            self.limits.check_values(len(array))
        values = self.column(array.values)
        if isinstance(values, Ragged):
            raise ColumnTypeError(self.name, array.type)
        ends = _numpy(array.run_ends)
        places = np.searchsorted(ends, np.arange(array.offset, array.offset + len(array)), side="right")
        return self._picked(values, places.astype(np.int64))

    def lists(self, array: Any) -> Ragged:
        kind = array.type
        lengths = _numpy(pc.fill_null(pc.list_value_length(array), 0)).astype(np.int64)
        lengths[missing(array)] = 0
        offsets = np.zeros(len(array) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        viewed = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
        if self.limits and (viewed or pa.types.is_boolean(kind.value_type)):
            # Views may overlap; a boolean takes one bit.
            self.limits.check_values(int(offsets[-1]))
        values = array.flatten()
        try:
            column = self.column(values)
        except ColumnTypeError:
            raise ColumnTypeError(self.name, kind) from None
        except ColumnError as error:
            row = int(np.searchsorted(offsets, error.row, side="right")) - 1
            raise self.error(row, error.value, f"a list whose every value is {error.expected}") from None
        if isinstance(column, Ragged):
            raise ColumnTypeError(self.name, kind)
        return Ragged(column, offsets)

    def storage(self, array: Any) -> Column:
        try:
            return self.column(array.storage)
        except ColumnTypeError:
            raise ColumnTypeError(self.name, array.type) from None

    def _of_dictionary(self, array: Any) -> Text:
        """Text of a dictionary-encoded array of strings."""
        values = _Reader(self.name, self.limits, False).column(array.dictionary)
        assert isinstance(values, Text)
        text = self._picked(values, _places(array.indices))
        assert isinstance(text, Text)
        return text

    def _picked(self, values: Column, places: NDArray[np.int64]) -> Column:
        """Values at positions [N]; missing at -1."""
        if isinstance(values, Text):
            rows = np.append(values.rows, -1)[places]
            if self.limits:
                self.limits.check_text(int(np.append(values.lengths, 0)[rows].sum()))
            return Text(values.data, values.offsets, rows)
        null = places < 0
        if not isinstance(values, np.ndarray) or not len(values):
            return [None] * len(places)
        picked: NDArray[Any] = values[np.maximum(places, 0)]
        if not null.any():
            return picked
        if picked.dtype.kind in "fM":
            picked[null] = np.nan if picked.dtype.kind == "f" else np.datetime64("NaT")
            return picked
        return np.ma.MaskedArray(np.ma.getdata(picked), np.ma.getmaskarray(picked) | null)

    def _decoded(self, array: Any) -> Any:
        """Decode an array of bytes to strings."""
        try:
            if pa.types.is_fixed_size_binary(array.type):
                array = array.cast(pa.binary())
            return array.cast(pa.large_string() if pa.types.is_large_binary(array.type) else pa.string())
        except pa.ArrowInvalid:
            for row, value in enumerate(array.to_pylist()):
                try:
                    (value or b"").decode()
                except UnicodeDecodeError:
                    raise self.error(row, value, "text in UTF-8") from None
            raise


def to_column(array: Any, name: str, limits: Limits | None = None, distinct: bool = False) -> Column:
    """Convert a valid Arrow array [N] to the column [N] called ``name``.

    Raises ``ColumnTypeError`` for a type that features and labels cannot have, ``ColumnError`` for a time that does not
    fit 64 bits of microseconds and for bytes that are not UTF-8, and ``ColumnTooLargeError`` beyond ``limits``.
    ``distinct`` is for columns with repeated text, as in a log: they are coded by their distinct strings.
    """
    return _Reader(name, limits, distinct).column(array)


def missing(array: Any) -> NDArray[np.bool_]:
    """Mask of null rows [N]."""
    mask: NDArray[np.bool_] = _numpy(array.is_null())
    return mask


def _any_of(*tests: str) -> Any:
    predicates = [getattr(pa.types, f"is_{test}") for test in tests]
    return lambda kind: any(test(kind) for test in predicates)


_READERS: list[tuple[Any, Any]] = [
    (lambda kind: isinstance(kind, pa.BaseExtensionType), _Reader.storage),
    (_any_of("integer", "boolean"), _Reader.whole),
    (_any_of("floating"), _Reader.floats),
    (
        _any_of("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "fixed_size_binary"),
        _Reader.text,
    ),
    (_any_of("dictionary"), _Reader.dictionary),
    (_any_of("list", "large_list", "fixed_size_list", "list_view", "large_list_view"), _Reader.lists),
    (_any_of("timestamp", "date"), _Reader.times),
    (_any_of("decimal"), _Reader.decimals),
    (_any_of("null"), _Reader.nulls),
    (_any_of("run_end_encoded"), _Reader.runs),
]


def _numpy(array: Any) -> NDArray[Any]:
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


def _places(indices: Any) -> NDArray[np.int64]:
    """Dictionary indices [N]; -1 for null."""
    places = _numpy(pc.fill_null(indices, pa.scalar(0, indices.type))).astype(np.int64)
    if indices.null_count:
        places[missing(indices)] = -1
    return places


def _text(array: Any) -> Text:
    """Convert strings without copying their bytes."""
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


def _viewed(array: Any) -> int:
    """Total bytes that views refer to; the first four of a view's sixteen bytes are its length."""
    views = np.frombuffer(array.buffers()[1], dtype=np.int32)[:: 16 // 4][array.offset : array.offset + len(array)]
    if array.null_count:
        views = views[~missing(array)]
    return int(views.sum(dtype=np.int64))
