"""Columns of JSON -> what the encoder takes, checked by the conversion itself.

A model of pydantic looks at each value of a list. Packing them into bytes refuses at the speed of C what is of another
type; the few things that it lets through are looked for by themselves.
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
    """Those of the columns that are known to be right, in the form that is read fastest.

    Numbers become arrays, with NaN for null; integers arrays, or stay a list where one is null; strings stay a list.
    What is not in the answer is wrong, or unusual enough to need a closer look; so is what has no kind. The values are
    those of parsed JSON: infinite ones and NaN are none. ``booleans`` says whether there may be some.
    """
    found: dict[str, Column] = {}
    for name, kind in kinds.items():
        values = columns.get(name)
        if isinstance(values, list):
            column = _strings(values) if kind == "string" else _packed(values, kind)
            if column is not None and not (booleans and bool in set(map(type, values))):
                found[name] = column
    return found


def may_hold_booleans(body: bytes) -> bool:
    """Whether a body has the letters of ``true`` or ``false`` anywhere: quicker than a look at each value."""
    letters = np.frombuffer(body, dtype=np.uint8)
    return _has(letters, b"rue") or _has(letters, b"als")


def _has(letters: NDArray[np.uint8], three: bytes) -> bool:
    first, second, third = three
    return bool(((letters[:-2] == first) & (letters[1:-1] == second) & (letters[2:] == third)).any())


def _packed(values: list[Any], kind: Kind) -> "Column | None":
    """Values as they are kept; ``None`` where one is of another type, or is the integer that stands for missing."""
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
