"""Values of a categorical feature -> codes, by a vocabulary or by hashing.

Codes: 0 is missing, 1 is unseen, values follow from 2 in the order in which they were first seen.
"""

import zlib
from typing import Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, Integers, integers, strings

ValueType: TypeAlias = Literal["integer", "string"]
UNSEEN = 1
RESERVED = 2


class Coder(Protocol):
    """What turns values into codes."""

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N] of a column [N]."""


def value_type(column: Column) -> ValueType | None:
    """Tell whether a column holds integers or strings; ``None`` where it holds no value at all."""
    if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
        return "integer"
    for value in column:  # type: ignore[union-attr] # callers pass the flat values of a Ragged
        if value is not None:
            return "string" if isinstance(value, str) else "integer"
    return None


class Vocabulary:
    """A growing list of distinct values; ``add`` while fitting, ``codes`` ever after."""

    def __init__(self, kind: ValueType, values: Integers | list[str]) -> None:
        self.kind: ValueType = kind
        self._codes: dict[int | str, int] = {
            value: code for code, value in enumerate(values if isinstance(values, list) else values.tolist(), RESERVED)
        }
        self._sorted: tuple[Integers, Integers] | None = None

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""
        return len(self._codes) + RESERVED

    def add(self, column: Column, name: str) -> Integers:
        """Codes [N], new values being taken up."""
        self._sorted = None
        table = self._codes
        if self.kind == "string":
            flat = strings(column, name)
            known = (0 if v is None else table.setdefault(v, len(table) + RESERVED) for v in flat)
            return np.fromiter(known, dtype=np.int64, count=len(flat))
        values, inverse = np.unique(integers(column, name), return_inverse=True)
        codes = [0 if v == MISSING else table.setdefault(v, len(table) + RESERVED) for v in values.tolist()]
        return np.array(codes, dtype=np.int64)[inverse]

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N]; a value never added is :data:`UNSEEN`."""
        if self.kind == "string":
            flat = strings(column, name)
            get = self._codes.get
            return np.fromiter((0 if v is None else get(v, UNSEEN) for v in flat), dtype=np.int64, count=len(flat))
        values = integers(column, name)
        keys, order = self._index()
        if not len(keys):
            return np.where(values == MISSING, 0, UNSEEN)
        place = np.minimum(np.searchsorted(keys, values), len(keys) - 1)
        codes = np.where(keys[place] == values, order[place], UNSEEN)
        codes[values == MISSING] = 0
        return codes

    def values(self) -> list[int | str]:
        """The distinct values in the order of their codes."""
        return list(self._codes)

    def _index(self) -> tuple[Integers, Integers]:
        if self._sorted is None:
            keys = np.fromiter(self._codes, dtype=np.int64, count=len(self._codes))
            order = np.argsort(keys)
            self._sorted = keys[order], order + RESERVED
        return self._sorted


class HashedVocabulary:
    """Values hashed into a fixed number of buckets; integers and strings alike, nothing to fit."""

    def __init__(self, buckets: int) -> None:
        self.buckets = buckets

    @property
    def size(self) -> int:
        """Number of codes, the two reserved ones included."""
        return self.buckets + RESERVED

    def codes(self, column: Column, name: str) -> Integers:
        """Codes [N], the same in every process and on every machine."""
        if value_type(column) == "string":
            flat = strings(column, name)
            codes = [0 if v is None else RESERVED + zlib.crc32(v.encode()) % self.buckets for v in flat]
            return np.array(codes, dtype=np.int64)
        values = integers(column, name)
        hashed = (splitmix64(values.view(np.uint64)) % np.uint64(self.buckets)).astype(np.int64) + RESERVED
        hashed[values == MISSING] = 0
        return hashed


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of each value. Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
