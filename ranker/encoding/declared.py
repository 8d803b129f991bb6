"""Declared id types: ``type: string`` converts integers to text, ``type: integer`` digits to integers."""

import re
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import numpy as np

from ranker.encoding.columns import MISSING, Column, ColumnError, Decimals, integers, require_single
from ranker.encoding.text import Text

IdType: TypeAlias = Literal["integer", "unsigned", "string"]
DIGITS = re.compile(r"0|[+-]?[1-9][0-9]{0,19}")
"""Integers as text, without leading zeros: 02134 and 2134 are different ids, and int() would also accept 1_000."""
_WRITTEN = "an integer without leading zeros"


def as_declared(column: Column, name: str, declared: IdType) -> Column:
    """Convert a column [N] to the declared type. Raises ``ColumnError`` for a value that cannot be converted."""
    require_single(column, name, "one id per row")
    if declared == "string":
        return _as_text(column, name)
    if isinstance(column, Text):
        return _as_integers(column, name, declared == "unsigned")
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        return column
    values: list[Any] = list(column)  # type: ignore[arg-type] # no Ragged
    return parsed(values, name) if str in set(map(type, values)) else values


def parsed(values: Iterable[Any], name: str) -> list[Any]:
    """Parse text values to integers. Raises ``ColumnError`` for invalid text."""
    integers = []
    for row, value in enumerate(values):
        if isinstance(value, str):
            if not DIGITS.fullmatch(value):
                raise ColumnError(name, row, value, _WRITTEN)
            value = int(value)
        integers.append(value)
    return integers


def _as_integers(text: Text, name: str, unsigned: bool) -> Column:
    null = text.rows < 0
    used = np.unique(text.rows[~null])
    table = np.zeros(len(text.lengths) + 1, dtype=np.uint64 if unsigned else np.int64)
    low, high = (0, 2**64) if unsigned else (int(MISSING) + 1, 2**63)
    for place, string in zip(used.tolist(), text.strings(used), strict=True):
        if not DIGITS.fullmatch(string) or not low <= int(string) < high:
            row = int(np.argmax(text.rows == place))
            raise ColumnError(name, row, string, f"{_WRITTEN}, from {low} to {high - 1}")
        table[place] = int(string)
    values = table[text.rows]
    return np.ma.MaskedArray(values, null) if null.any() else values


def _as_text(column: Column, name: str) -> Column:
    if isinstance(column, Text):
        return column
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        if column.dtype.kind not in "iuf" and len(column):
            raise ColumnError(name, 0, column[0], "text or an integer, as `type: string` requires")
        unsigned = column.dtype == np.uint64 or (isinstance(column, Decimals) and not (column < 0).any())
        values, rows = np.unique(integers(column, name, unsigned), return_inverse=True)
        missing = int(len(values) > 0 and values[0] == MISSING)  # MISSING sorts first
        plain: Any = values[missing:].view(np.uint64) if unsigned else values[missing:]
        texts = Text.of([str(value) for value in plain.tolist()])
        return Text(texts.data, texts.offsets, rows - missing)
    return [_string(value, name, row) for row, value in enumerate(column)]  # type: ignore[arg-type] # no Ragged


def _string(value: object, name: str, row: int) -> object:
    if value is None or isinstance(value, str) or (isinstance(value, float) and np.isnan(value)):
        return value
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise ColumnError(name, row, value, "text or an integer, as `type: string` requires")
    if isinstance(value, float | np.floating):
        try:
            value = int(integers([value], name)[0])
        except ColumnError as error:
            raise ColumnError(name, row, value, error.expected) from None
    return str(int(value))
