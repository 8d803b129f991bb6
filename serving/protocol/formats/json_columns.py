"""Converts JSON columns to arrays for the encoder, with type checks at the speed of C.

A pydantic model checks each value of a list in turn. Packing the list with ``struct`` rejects most values of another
type much faster; the few it accepts, such as booleans, are looked for separately.
"""

import struct
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column
from ranker.encoding.columns import MISSING

Kind: TypeAlias = Literal["number", "integer", "unsigned", "string"]
_CODES = {"number": "d", "integer": "q", "unsigned": "Q"}


def typed(columns: Mapping[str, Any], kinds: Mapping[str, Kind], booleans: bool = True) -> dict[str, Column]:
    """The columns known to be valid, converted to the form that the encoder reads fastest.

    Numbers become arrays with NaN for null; integers become arrays, or stay a list if there is a null; strings stay a
    list. A column left out is invalid, unusual, or has no kind, and needs the full check. Values come from parsed JSON,
    so none is NaN or infinite. ``booleans`` says whether there may be booleans.
    """
    valid: dict[str, Column] = {}
    for name, kind in kinds.items():
        values = columns.get(name)
        if isinstance(values, list):
            column = _strings(values) if kind == "string" else _packed(values, kind)
            if column is not None and not (booleans and bool in set(map(type, values))):
                valid[name] = column
    return valid


def may_hold_booleans(body: bytes) -> bool:
    """Whether a body may contain ``true`` or ``false``: faster than checking each value."""
    letters = np.frombuffer(body, dtype=np.uint8)
    return _has(letters, b"rue") or _has(letters, b"als")


def _has(letters: NDArray[np.uint8], three: bytes) -> bool:
    first, second, third = three
    return bool(((letters[:-2] == first) & (letters[1:-1] == second) & (letters[2:] == third)).any())


def _packed(values: list[Any], kind: Kind) -> "Column | None":
    """Values as an array, or a list with nulls; ``None`` if one has another type or equals the missing marker."""
    code = _CODES[kind]
    nulls = False
    try:
        packed = struct.pack(f"{len(values)}{code}", *values)
    except (struct.error, OverflowError):
        nulls = None in values
        if not nulls:
            return None
        instead: Any = np.nan if kind == "number" else 0
        try:
            packed = struct.pack(f"{len(values)}{code}", *[instead if value is None else value for value in values])
        except (struct.error, OverflowError):
            return None
    array: NDArray[Any] = np.frombuffer(packed, dtype=code)
    if kind == "integer":
        return None if len(array) and array.min() == MISSING else values if nulls else array
    if kind == "unsigned" and nulls:
        return values
    return array


def _strings(values: list[Any]) -> "Column | None":
    try:
        "".join(values)
    except TypeError:
        return values if {str, type(None)}.issuperset(map(type, values)) else None
    return values
