"""Converts CSV text to Arrow arrays of the column's kind, with vectorised operations.

All functions raise ``ColumnError`` naming the row and the value. Empty fields are ``null``.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.encoding.columns import ColumnError
from ranker.log_files.csv_types import Resolved
from ranker.log_files.iso_text import is_iso, plain

NULLS = pa.array(
    ["#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA", "NULL", "NaN",
     "n/a", "nan", "null"]
)  # fmt: skip
"""Spellings of missing numbers in pandas, R, SQL and others."""
INTEGER = r"^(0|-?[1-9][0-9]*)$"
"""Integers as programs write them; 007 and +7 are text."""
WHOLE = r"^(0|-?[1-9][0-9]*)\.0+$"
"""Integers as programs write them in a column of floats."""
PLAIN = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
"""Numbers as programs write them."""
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_INFINITE = r"(?i)^[+-]?inf(inity)?$"
_FIRST = 64
"""Rows tried before the whole array."""
_EXACT = 2.0**53
"""Floats represent all integers exactly below this value."""
_TRUE, _FALSE = r"(?i)^true$", r"(?i)^false$"


def converted(text: Any, name: str, kind: Resolved, decimal: str = ".", proven: bool = False) -> Any:
    """Convert text [N] to an Arrow array [N] of the kind.

    ``decimal`` is the decimal mark; ``proven`` means that all values are known to be integers of the kind.
    """
    if kind == "number":
        return _numbers(text, name, decimal)
    if kind == "text":
        return text
    integers = pa.int64() if kind == "integer" else pa.uint64()
    low, high = (-(2**63) + 1, 2**63 - 1) if kind == "integer" else (0, 2**64 - 1)
    expected = f"an integer from {low} to {high} without leading zeros, like this column's other ids"
    found = cast_or_none(text, integers) if proven else None
    found = as_integers(text, integers) if found is None else found
    if found is None:
        _require(pc.or_(matches(text, INTEGER), matches(text, WHOLE)), text, name, expected)
        row = next(
            i
            for i, value in enumerate(text.to_pylist())
            if value is not None and not low <= int(value.split(".")[0]) <= high
        )
        raise ColumnError(name, row, text[row].as_py(), expected)
    return found


def as_integers(text: Any, kind: Any) -> Any:
    """Text [N] as integers [N], or ``None`` if a value is not in canonical form: 007, +7 and 0x7 are text.

    Whole floats such as ``7.0`` are accepted, because pandas writes integer columns with missing values like that.
    """
    found = _same_integers(text, kind)
    if found is None and pc.any(pc.match_substring_regex(text, WHOLE)).as_py():
        found = _same_integers(pc.replace_substring_regex(text, r"\.0+$", ""), kind)
    return found


def _same_integers(text: Any, kind: Any) -> Any:
    found = cast_or_none(text, kind)
    if found is None:
        return None
    same = pc.all(pc.equal(pc.cast(found, pa.string()), text)).as_py()  # ten times as fast as a regular expression
    return None if same is False else found


def cast_or_none(text: Any, kind: Any) -> Any:
    """Text [N] cast to another type, or ``None`` if a value cannot be cast.

    A failing value costs a microsecond, fifty times a good one, so the first rows are tried first.
    """
    try:
        pc.cast(text[:_FIRST], kind)
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        return None


def matches(text: Any, pattern: str) -> Any:
    """Mask [N] of rows that match the pattern; nulls match."""
    return pc.fill_null(pc.match_substring_regex(text, pattern), True)


def _numbers(text: Any, name: str, decimal: str) -> Any:
    """Integers if all values are whole, else floats; timestamps if all are dates or times."""
    found = _cast(text) if decimal == "." else None
    if found is not None:
        return found
    coded = text.dictionary_encode()  # parse each distinct value once
    try:
        values = _unusual_numbers(coded.dictionary, name, decimal)
    except ColumnError as error:
        row = pc.index(text, error.value).as_py()
        raise ColumnError(name, row, error.value, error.expected) from None
    return values.take(coded.indices)


def _unusual_numbers(text: Any, name: str, decimal: str) -> Any:
    """Parse text with spaces, null spellings, booleans, signs or another decimal mark as numbers, or as timestamps."""
    trimmed = pc.utf8_trim_whitespace(text)
    trimmed = pc.if_else(pc.or_(pc.is_in(trimmed, NULLS), pc.equal(trimmed, "")), None, trimmed)
    if trimmed.null_count == len(trimmed):
        return pa.nulls(len(trimmed), pa.float64())
    if decimal == "." or not pc.any(pc.match_substring(trimmed, ".")).as_py():
        found = _cast(pc.replace_substring(trimmed, decimal, "."))
        if found is not None:
            return found
    times = is_iso(trimmed)
    if pc.all(times).as_py():
        return _times(trimmed, text, name)
    written = pc.replace_substring_regex(trimmed, _TRUE, "1")
    written = pc.replace_substring_regex(written, _FALSE, "0")
    if decimal != ".":
        _require(pc.invert(pc.match_substring(written, ".")), text, name, f"a number with decimal mark {decimal!r}")
        written = pc.replace_substring(written, decimal, ".")
    good = pc.or_(matches(written, _NUMBER), matches(written, _INFINITE))
    mixed = ", as other values of the column are" if pc.any(times).as_py() else ""
    _require(good, text, name, f"a number{mixed}")
    found = _cast(written)
    if found is None:
        raise ColumnError(name, 0, text[0].as_py(), "a column of numbers")
    return found


def _cast(text: Any) -> Any:
    """Integers if all values are whole, else floats; ``None`` if a value is not a number in canonical form.

    Floats are tried first: they cover almost all numbers and reject hexadecimal integers.
    """
    floats = cast_or_none(text, pa.float64())
    if floats is None:
        return None
    largest = pc.max(pc.abs(floats)).as_py()
    if largest is not None and largest >= _EXACT:
        digits = pc.replace_substring_regex(text, r"^\+", "")
        for kind in (pa.int64(), pa.uint64()):
            exact = cast_or_none(digits, kind)
            if exact is not None:
                return exact
        return floats
    whole = cast_or_none(floats, pa.int64())
    return floats if whole is None else whole


def _times(trimmed: Any, text: Any, name: str) -> Any:
    """UTC timestamps, rounded down to microseconds."""
    whole = plain(trimmed)
    whole = pc.if_else(pc.match_substring(whole, ":"), whole, pc.binary_join_element_wise(whole, "00:00", " "))
    zoned = pc.match_substring_regex(whole, r":.*(Z|[+-][0-9:]+)$")
    whole = pc.if_else(zoned, whole, pc.binary_join_element_wise(whole, "Z", ""))
    try:
        return pc.cast(whole, pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        for row, value in enumerate(whole):
            try:
                pc.cast(value, pa.timestamp("us", "UTC"))
            except pa.ArrowInvalid:
                raise ColumnError(name, row, text[row].as_py(), "a valid date or time") from None
        raise


def _require(fits: Any, text: Any, name: str, expected: str) -> None:
    good = np.asarray(pc.fill_null(fits, True))
    if not good.all():
        row = int(np.argmin(good))
        raise ColumnError(name, row, text[row].as_py(), expected)
