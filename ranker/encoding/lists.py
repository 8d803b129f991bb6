"""List columns and separated text."""

from collections.abc import Callable
from itertools import chain, pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, ColumnError, Integers, Ragged
from ranker.encoding.declared import parsed
from ranker.encoding.vocabulary import ValueType

T = TypeVar("T")
Id = TypeVar("Id", np.int32, np.int64)


def ragged(column: Column, name: str, separator: str | None) -> Ragged:
    """Lists [N] of values; null is an empty list, and with a separator text is split and stripped.

    Split text gives strings; the caller converts them to integers if its vocabulary holds integers.
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
        return [value]  # a column whose rows have at most one value
    if isinstance(value, np.ndarray) and value.ndim == 1:
        plain: list[Any] = value.tolist()
        return plain
    if isinstance(value, list | tuple):
        return list(value)
    text = f", or text separated by {separator!r}" if separator is not None else ""
    raise ColumnError(name, row, value, f"a list{text}")


def split(column: Column, name: str, separator: str | None, kind: ValueType | None) -> Ragged:
    """Lists [N] of a column; split text is converted to integers if the vocabulary holds integers."""
    lists = ragged(column, name, separator)
    if separator is None or kind not in ("integer", "unsigned"):
        return lists
    return Ragged(list_codes(parsed, lists, name), lists.offsets)


def list_codes(codes: Callable[[Any, str], T], lists: Ragged, name: str) -> T:
    """Apply ``codes`` to the flattened values of lists; errors name the row of the list, not the flat position."""
    try:
        return codes(lists.values, name)
    except ColumnError as error:
        row = int(np.searchsorted(lists.offsets, error.row, side="right")) - 1
        raise ColumnError(name, row, error.value, f"a list whose every value is {error.expected}") from None


def pad(
    lists: Ragged, ids: NDArray[Id], length: int, keep: Callable[[Integers], Integers], empty: int = 0
) -> NDArray[Id]:
    """Pad flat ids of ``lists`` to [N, length] with ``empty``; ``keep`` maps row lengths to the first kept position."""
    lengths = np.diff(lists.offsets)
    first = lists.offsets[:-1] + keep(lengths)
    steps = np.arange(length)
    within = steps < np.minimum(lengths, length)[:, None]
    padded = np.full((len(lists), length), empty, dtype=ids.dtype)
    padded[within] = ids[(first[:, None] + steps)[within]]
    return padded


def padded(lists: Ragged, length: int) -> NDArray[Any]:
    """The first values of each list as Python objects [N, length], then None; missing values are left out."""
    values: list[Any] = lists.values.tolist() if hasattr(lists.values, "tolist") else list(lists.values)
    array = np.full((len(lists), length), None, dtype=object)
    offsets = lists.offsets.tolist()
    for row, (start, stop) in enumerate(pairwise(offsets)):
        known = [value for value in values[start : min(stop, start + length)] if value is not None and value == value]
        array[row, : len(known)] = known
    return array
