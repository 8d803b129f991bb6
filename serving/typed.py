"""Columns of JSON -> what the encoder takes, checked by the conversion itself.

A model of pydantic looks at each value of a list. An ``array`` refuses at the speed of C what is of another type; the
few things that it lets through are looked for afterwards, many at once.
"""

from array import array
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from ranker.encoding import Column

Kind: TypeAlias = Literal["number", "integer", "string"]


def typed(columns: Mapping[str, Any], kinds: Mapping[str, Kind]) -> dict[str, Column]:
    """Those of the columns that are known to be right, in the form that is read fastest.

    What is not in the answer is wrong, or unusual enough to need a closer look; so is what has no kind.
    """
    found: dict[str, Column] = {}
    for name, kind in kinds.items():
        values = columns.get(name)
        if isinstance(values, list):
            column = _READERS[kind](values)
            if column is not None:
                found[name] = column
    return found


def _numbers(values: list[Any]) -> "Column | None":
    """Numbers [N] with NaN for null."""
    try:
        numbers = np.asarray(array("d", values))
    except (TypeError, OverflowError):
        if None not in values:
            return None
        try:
            numbers = np.asarray(array("d", [np.nan if value is None else value for value in values]))
        except (TypeError, OverflowError):
            return None
    return None if _may_hold_booleans(numbers, values) or np.isinf(numbers).any() else numbers


def _integers(values: list[Any]) -> "Column | None":
    """Integers [N], or the list itself where it holds nulls."""
    try:
        integers, column = np.asarray(array("q", values)), None
    except (TypeError, OverflowError):
        if None not in values:
            return None
        try:
            integers, column = np.asarray(array("q", [0 if value is None else value for value in values])), values
        except (TypeError, OverflowError):
            return None
    if _may_hold_booleans(integers, values) or (integers == np.iinfo(np.int64).min).any():
        return None
    return integers if column is None else column


def _strings(values: list[Any]) -> "Column | None":
    return values if {str, type(None)}.issuperset(map(type, values)) else None


def _may_hold_booleans(converted: Any, values: list[Any]) -> bool:
    """Whether there is a ``true`` or ``false``, which an array takes for 1 or 0."""
    return bool(((converted == 0) | (converted == 1)).any()) and bool in set(map(type, values))


_READERS = {"number": _numbers, "integer": _integers, "string": _strings}
