"""Values of a categorical feature -> codes, with a vocabulary or by hashing.

Codes: 0 is missing, 1 is unseen, values follow from 2 in the order of first occurrence.
"""

import zlib
from itertools import pairwise, repeat
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, Integers, integers, require_single, strings
from ranker.encoding.index import Index, TextIndex
from ranker.encoding.text import Text, splitmix64
from ranker.encoding.value_types import Typed, ValueType, integers_of_either_range, value_type

__all__ = ["RESERVED", "UNSEEN", "Coder", "HashedVocabulary", "TextHash", "ValueType", "Vocabulary", "value_type"]

TextHash: TypeAlias = Literal["crc32", "splitmix64"]
RESERVED = 2
UNSEEN = RESERVED - 1


class Coder(Protocol):
    """Maps values to codes."""

    @property
    def kind(self) -> ValueType | None:
        """Type of the values; ``None`` if training had no value."""

    @property
    def declared(self) -> ValueType | None:
        """Type declared in the schema, if any."""

    @property
    def size(self) -> int:
        """Number of codes, including the two reserved ones."""

    def as_declared(self, column: Column, name: str) -> Column:
        """Convert a column to the declared type, if any."""

    def add(self, column: Column, name: str) -> Integers:
        """Codes [N] of a training column [N]; adds its values."""

    def check(self, column: Column, name: str) -> None:
        """Infer the type of values from a training column [N] without adding values."""

    def read(self, column: Column, name: str) -> Integers:
        """Integers [N] of an integer feature; ``unsigned`` ones are stored as signed integers of the same bits."""

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N] of a column [N]."""


class _Table(dict[int | str | None, int]):
    """Codes by value; absent values are unseen, so that a look-up needs no default argument."""

    def __missing__(self, _: object) -> int:
        return UNSEEN


class Vocabulary(Typed):
    """A list of distinct values; ``add`` extends it while fitting, ``codes`` looks up afterwards.

    Without a ``kind`` it is empty, and every value is unseen; the first values added set the kind. Values of a type
    other than ``declared`` are converted or rejected. A vocabulary of integers becomes ``unsigned`` when a value of
    2**63 or more is added.

    A long list that was saved comes with its ``index``, and strings as :meth:`Text.stored`; nothing of it is copied, so
    that its arrays may be mapped.
    """

    def __init__(
        self,
        kind: ValueType | None,
        values: Integers | NDArray[np.uint64] | list[str] | Text,
        declared: ValueType | None = None,
        index: Index | TextIndex | None = None,
    ) -> None:
        super().__init__(kind, declared)
        # Unsigned integers are stored as signed ones of the same bits.
        self._values = values.view(np.int64) if isinstance(values, np.ndarray) else values
        self._table: _Table | None = None
        self._index = index if isinstance(index, Index) else None
        self._text_index = index if isinstance(index, TextIndex) else None

    @property
    def size(self) -> int:
        """Number of codes, including the two reserved ones."""
        if self._table is not None:
            return len(self._table) - 1 + RESERVED
        return len(self._values.lengths if isinstance(self._values, Text) else self._values) + RESERVED

    def values(self) -> Integers | NDArray[np.uint64] | list[str]:
        """The distinct values in code order."""
        held = self._held()
        return held.view(np.uint64) if isinstance(held, np.ndarray) and self.kind == "unsigned" else held

    def _held(self) -> Integers | list[str]:
        if self._table is None:
            return self._values.strings() if isinstance(self._values, Text) else self._values
        values: list[Any] = list(self._table)[1:]  # the first is missing
        return values if self.kind == "string" else np.array(values, dtype=np.int64)

    def extendable(self, declared: ValueType | None, kept: Integers | None = None) -> "Vocabulary":
        """A copy to extend with :meth:`add`: of all values, or of those with the ascending codes ``kept``."""
        held = self._held()
        if kept is not None:
            places = kept[kept >= RESERVED] - RESERVED
            held = held[places] if isinstance(held, np.ndarray) else [held[place] for place in places.tolist()]
        copy = Vocabulary(self.kind, held, declared)
        copy.recall(held)
        return copy

    def add(self, column: Column, name: str) -> Integers:
        """Codes [N]; new values are added in row order."""
        read = self.learn(column, name)
        if read is None:
            return np.zeros(len(column), dtype=np.int64)
        if isinstance(read, Text):
            return self._add_text(read)
        table = self._dictionary()
        if isinstance(read, list):
            self._text_index = None
            coded = (table.setdefault(value, len(table) + 1) for value in read)
            return np.fromiter(coded, dtype=np.int64, count=len(read))
        values, inverse = np.unique(read, return_inverse=True)
        codes = np.fromiter(map(table.get, values.tolist(), repeat(-1)), dtype=np.int64, count=len(values))
        new = codes < 0
        if new.any():
            first = np.empty(len(values), dtype=np.int64)
            first[inverse[::-1]] = np.arange(len(inverse))[::-1]  # the last assignment wins
            order = np.flatnonzero(new)[np.argsort(first[new])]
            codes[order] = np.arange(len(order)) + len(table) + 1
            table.update(zip(values[order].tolist(), codes[order].tolist(), strict=True))
            self._index = None
        rows: Integers = codes[inverse]
        return rows

    def _add_text(self, text: Text) -> Integers:
        """As :meth:`add`, with one look-up for each of the K strings that occur."""
        table = self._dictionary()
        self._text_index = None
        first = np.full(len(text.lengths) + 1, len(text))  # first row of each string; null is at the end
        first[text.rows[::-1]] = np.arange(len(text))[::-1]  # the last assignment wins
        used = np.flatnonzero(first[:-1] < len(text))
        used = used[np.argsort(first[used])]
        codes = np.zeros(len(first), dtype=np.int64)
        coded = (table.setdefault(value, len(table) + 1) for value in text.strings(used))
        codes[used] = np.fromiter(coded, dtype=np.int64, count=len(used))
        return codes[text.rows]

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N]; values never added are :data:`UNSEEN`."""
        require_single(column, name, "one id per row")
        column = self.as_declared(column, name)
        kind = self.kind or value_type(column)
        if kind == "string":
            if isinstance(column, Text):
                return self._text_codes(column)
            return self._looked_up(column, name) if self._is_stored else self._string_codes(column, name)
        if self.kind is None:
            values, _ = integers_of_either_range(column, name)
            return np.where(values == MISSING, 0, UNSEEN)
        values = integers(column, name, kind == "unsigned")
        codes = self._integers().positions(values) + RESERVED  # -1 (absent) becomes UNSEEN
        codes[values == MISSING] = 0
        return codes

    def index(self) -> Index | None:
        """Look-up index of integers; ``None`` for other types or without values."""
        return self._integers() if self.kind == "integer" else None

    def text(self) -> Text:
        """The strings of a vocabulary of strings in code order, as a list of K strings."""
        return self._values if isinstance(self._values, Text) and self._table is None else Text.of(self._strings())

    def saved_index(self) -> Index | TextIndex:
        """The index of the values."""
        return self._texts() if self.kind == "string" else self._integers()

    @property
    def _is_stored(self) -> bool:
        return isinstance(self._values, Text) and self._table is None

    def _integers(self) -> Index:
        if self._index is None:
            self._index = Index.of(np.asarray(self._held(), dtype=np.int64))
        return self._index

    def _texts(self) -> TextIndex:
        if self._text_index is None:
            self._text_index = TextIndex.of(self.text())
        return self._text_index

    def _strings(self) -> list[str]:
        values = self._held()
        return values if isinstance(values, list) else []

    def _text_codes(self, text: Text) -> Integers:
        codes = self._texts().positions(text) + RESERVED  # as above
        return np.append(codes, 0)[text.rows]  # null is row -1

    def _looked_up(self, column: Column, name: str) -> Integers:
        """Codes of a column of strings without a dictionary, which would copy the values."""
        values = strings(column, name)
        codes = np.zeros(len(values), dtype=np.int64)
        present = [value for value in values if value is not None]
        which = slice(None) if len(present) == len(values) else [value is not None for value in values]
        codes[which] = self._texts().positions_of(present) + RESERVED  # as above
        return codes

    def _string_codes(self, column: Column, name: str) -> Integers:
        look_up = self._dictionary().__getitem__
        values: Any = column.tolist() if isinstance(column, np.ndarray) else column
        if isinstance(values, list):
            # Keys are strings and None, so types need checking only if a value is absent.
            try:
                codes = np.fromiter(map(look_up, values), dtype=np.int64, count=len(values))
                if not (codes == UNSEEN).any():
                    return codes
            except TypeError:
                pass  # an unhashable value, such as a list: strings() reports it
        flat = strings(values, name)
        return np.fromiter(map(look_up, flat), dtype=np.int64, count=len(flat))

    def _dictionary(self) -> _Table:
        if self._table is None:
            held = self._held()
            values = held if isinstance(held, list) else held.tolist()
            missing = int(MISSING) if self.kind in ("integer", "unsigned") else None
            self._table = _Table({missing: 0, **{value: code for code, value in enumerate(values, RESERVED)}})
        return self._table


class HashedVocabulary(Typed):
    """Values hashed into a fixed number of buckets; only their type is fitted.

    ``hashed_by`` names the hash of text; older artifacts without it use the 32-bit ``crc32``.
    """

    def __init__(
        self,
        buckets: int,
        kind: ValueType | None = None,
        declared: ValueType | None = None,
        hashed_by: TextHash = "splitmix64",
    ) -> None:
        super().__init__(kind, declared)
        self.buckets = buckets
        self.hashed_by = hashed_by

    @property
    def size(self) -> int:
        """Number of codes, including the two reserved ones."""
        return self.buckets + RESERVED

    def add(self, column: Column, name: str) -> Integers:
        """Codes [N]; the first values set the type."""
        read = self.learn(column, name)
        return np.zeros(len(column), dtype=np.int64) if read is None else self._coded(read)

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N], identical across processes and machines."""
        require_single(column, name, "one id per row")
        column = self.as_declared(column, name)
        if (self.kind or value_type(column)) == "string":
            return self._coded(column if isinstance(column, Text) else strings(column, name))
        if self.kind is None:
            return self._coded(integers_of_either_range(column, name)[0])
        return self._coded(integers(column, name, self.kind == "unsigned"))

    def _coded(self, values: Integers | Text | list[str | None]) -> Integers:
        if isinstance(values, np.ndarray):
            hashed = self._codes(splitmix64(values.view(np.uint64)))
            hashed[values == MISSING] = 0
            return hashed
        text = values if isinstance(values, Text) else Text.of(values)
        if self.hashed_by == "crc32":
            bounds, data = text.offsets.tolist(), text.data.tobytes()
            checksums = [zlib.crc32(data[start:end]) for start, end in pairwise(bounds)]
            hashes = np.array(checksums, dtype=np.uint64)
        else:
            hashes = text.hashes(np.arange(len(text.lengths)))
        return np.append(self._codes(hashes), 0)[text.rows]  # null is row -1

    def _codes(self, hashes: NDArray[np.uint64]) -> Integers:
        return (hashes % np.uint64(self.buckets)).astype(np.int64) + RESERVED
