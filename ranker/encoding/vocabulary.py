"""Values of a categorical feature -> codes, by a vocabulary or by hashing.

Codes: 0 is missing, 1 is unseen, values follow from 2 in the order in which they were first seen.
"""

import zlib
from itertools import repeat
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from ranker.encoding.columns import MISSING, Column, Integers, integers, strings
from ranker.encoding.index import Index, TextIndex
from ranker.encoding.text import Text, splitmix64

ValueType: TypeAlias = Literal["integer", "string"]
RESERVED = 2
UNSEEN = RESERVED - 1


class Coder(Protocol):
    """What turns values into codes."""

    @property
    def kind(self) -> ValueType | None:
        """What the values are; ``None`` where no row of the training data held one."""

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N] of a column [N]."""


def value_type(column: Column) -> ValueType | None:
    """Tell whether a column holds integers or strings; ``None`` where it holds no value at all."""
    if isinstance(column, Text):
        return "string" if (column.rows >= 0).any() else None
    values: Any = column.compressed() if isinstance(column, np.ma.MaskedArray) else column
    if isinstance(values, np.ndarray) and values.dtype.kind in "iub":
        return "integer" if len(values) else None
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return None if np.isnan(values).all() else "integer"
    for value in values:
        if value is not None and not (isinstance(value, float) and np.isnan(value)):
            return "string" if isinstance(value, str) else "integer"
    return None


class _Table(dict[int | str | None, int]):
    """Codes by value; what is not there is unseen, so that a look-up needs no second argument for each value."""

    def __missing__(self, _: object) -> int:
        return UNSEEN


class Vocabulary:
    """A growing list of distinct values; ``add`` while fitting, ``codes`` ever after.

    Without a ``kind`` it holds no value, and every value of any type is unseen.
    """

    def __init__(self, kind: ValueType | None, values: Integers | list[str]) -> None:
        self.kind = kind
        self._values = values
        self._table: _Table | None = None
        self._index: Index | None = None
        self._text_index: TextIndex | None = None

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""
        return (len(self._values) if self._table is None else len(self._table) - 1) + RESERVED

    def values(self) -> Integers | list[str]:
        """The distinct values in the order of their codes."""
        if self._table is None:
            return self._values
        values: list[Any] = list(self._table)[1:]  # the first stands for missing
        return np.array(values, dtype=np.int64) if self.kind == "integer" else values

    def add(self, column: Column, name: str) -> Integers:
        """Codes [N], new values being taken up in the order of the rows."""
        table = self._dictionary()
        if self.kind == "string":
            self._text_index = None
            flat = strings(column, name)
            coded = (table.setdefault(value, len(table) + 1) for value in flat)
            return np.fromiter(coded, dtype=np.int64, count=len(flat))
        values, inverse = np.unique(integers(column, name), return_inverse=True)
        codes = np.fromiter(map(table.get, values.tolist(), repeat(-1)), dtype=np.int64, count=len(values))
        new = codes < 0
        if new.any():
            first = np.empty(len(values), dtype=np.int64)
            first[inverse[::-1]] = np.arange(len(inverse))[::-1]  # of several assignments the last one stays
            order = np.flatnonzero(new)[np.argsort(first[new])]
            codes[order] = np.arange(len(order)) + len(table) + 1
            table.update(zip(values[order].tolist(), codes[order].tolist(), strict=True))
            self._index = None
        rows: Integers = codes[inverse]
        return rows

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N]; a value never added is :data:`UNSEEN`."""
        kind = self.kind or value_type(column)
        if kind == "string":
            return self._text_codes(column) if isinstance(column, Text) else self._string_codes(column, name)
        values = integers(column, name)
        codes = self._integers().positions(values) + RESERVED  # at -1 is what is not there, and so becomes UNSEEN
        codes[values == MISSING] = 0
        return codes

    def index(self) -> Index | None:
        """Where integers are looked up; ``None`` where values are of another type, or there are none."""
        return self._integers() if self.kind == "integer" else None

    def _integers(self) -> Index:
        if self._index is None:
            self._index = Index(np.asarray(self.values(), dtype=np.int64))
        return self._index

    def _text_codes(self, text: Text) -> Integers:
        if self._text_index is None:
            values = self.values()
            self._text_index = TextIndex(values if isinstance(values, list) else [])
        codes = self._text_index.positions(text) + RESERVED  # as above
        return np.append(codes, 0)[text.rows]  # null is row -1

    def _string_codes(self, column: Column, name: str) -> Integers:
        look_up = self._dictionary().__getitem__
        values: Any = column.tolist() if isinstance(column, np.ndarray) else column
        if isinstance(values, list):
            # Only strings and None are keys, so types need a check only where something was not found.
            try:
                codes = np.fromiter(map(look_up, values), dtype=np.int64, count=len(values))
                if not (codes == UNSEEN).any():
                    return codes
            except TypeError:
                pass  # a value that cannot be looked up, such as a list: strings() names it
        flat = strings(values, name)
        return np.fromiter(map(look_up, flat), dtype=np.int64, count=len(flat))

    def _dictionary(self) -> _Table:
        if self._table is None:
            values = self._values if isinstance(self._values, list) else self._values.tolist()
            missing = MISSING if self.kind == "integer" else None
            self._table = _Table({missing: 0, **{value: code for code, value in enumerate(values, RESERVED)}})
        return self._table


class HashedVocabulary:
    """Values hashed into a fixed number of buckets; nothing to fit but what type they are."""

    def __init__(self, buckets: int, kind: ValueType | None = None) -> None:
        self.buckets = buckets
        self.kind = kind

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""
        return self.buckets + RESERVED

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N], the same in every process and on every machine."""
        if (self.kind or value_type(column)) == "string":
            if isinstance(column, Text):
                return np.append(self.codes(column.strings(), name), 0)[column.rows]  # null is row -1
            flat = strings(column, name)
            missing = np.array([value is None for value in flat], dtype=bool)
            # Half of a surrogate pair cannot be written as UTF-8, and yet a log may hold one.
            checksums = [0 if value is None else zlib.crc32(value.encode("utf-8", "surrogatepass")) for value in flat]
            hashed = np.array(checksums, dtype=np.int64) % self.buckets + RESERVED
        else:
            values = integers(column, name)
            missing = values == MISSING
            hashed = (splitmix64(values.view(np.uint64)) % np.uint64(self.buckets)).astype(np.int64) + RESERVED
        hashed[missing] = 0
        return hashed
