"""Positions of integers and of strings in a fixed list, looked up for many at once."""

from typing import Any, NamedTuple

import numpy as np

from ranker.encoding.columns import Integers
from ranker.encoding.text import Text, splitmix64


class Table(NamedTuple):
    """``positions[value - low]``, and -1 at ``positions[span]``, where every value outside belongs."""

    low: int
    span: int
    positions: Integers


def table_places(values: Integers, low: Any, span: Any) -> Integers:
    """Places in tables of values of any shape; ``low`` and ``span`` of the tables broadcast against it."""
    # Differences wrap around, so that taken as unsigned those of all values outside are large.
    places: Integers = np.minimum((values - low).view(np.uint64), span).view(np.int64)
    return places


class Index:
    """Positions of the values [V] of a list of distinct integers.

    A table where the values lie close together. Elsewhere the values are sorted by their hashes, which are spread
    evenly, so that a directory of hash prefixes leads to within a few places of each: less waiting for memory than
    bisection, and a fifth of the memory of a dictionary.
    """

    def __init__(self, values: Integers) -> None:
        low, high = (int(values.min()), int(values.max())) if len(values) else (0, -1)
        span = high - low + 1
        self.table: Table | None = None
        """What it looks up in, where the values lie close together."""
        if span <= 4 * len(values) + 1024:
            self.table = Table(low, span, np.full(span + 1, -1, dtype=np.int64))
            self.table.positions[values - low] = np.arange(len(values))
            return
        prefix_bits = len(values).bit_length() + 1
        self._shift = np.uint64(64 - prefix_bits)
        hashes = splitmix64(values.view(np.uint64))
        order = np.argsort(hashes)
        prefixes = (hashes[order] >> self._shift).astype(np.int64)
        sizes = np.bincount(prefixes, minlength=1 << prefix_bits)
        self._steps = np.arange(int(sizes.max()))
        self._starts = np.cumsum(sizes) - sizes
        # Behind the last value stand copies of it, so that every prefix can be read to the longest length.
        padded = np.concatenate([order, np.repeat(order[-1:], len(self._steps))])
        self._keys, self._positions = values[padded], padded

    def positions(self, values: Integers) -> Integers:
        """Position [N] of each value [N] in the list, -1 for a value that is not in it."""
        if self.table is not None:
            low, span, table = self.table
            return table[table_places(values, low, np.uint64(span))]
        starts = self._starts[(splitmix64(values.view(np.uint64)) >> self._shift).view(np.int64)]
        places = starts[:, None] + self._steps
        rows, steps = np.nonzero(self._keys[places] == values[:, None])
        positions = np.full(len(values), -1, dtype=np.int64)
        positions[rows] = self._positions[places[rows, steps]]
        return positions


class TextIndex:
    """Positions of strings in a list of distinct strings [V]: by hashes of 64 bits, then byte by byte."""

    def __init__(self, values: list[str]) -> None:
        self._values = Text.of(values)
        self._longest = int(self._values.lengths.max(initial=-1))
        places = np.arange(len(values))
        self._salt = 0
        # Two strings of a million share a hash once in forty million lists; other hashes are taken then.
        while len(np.unique(hashes := self._values.hashes(places, self._salt))) < len(values):
            self._salt += 1
        self._index = Index(hashes.view(np.int64))

    def positions(self, text: Text) -> Integers:
        """Position in the list of each of the text's K strings, -1 for one that is not in it."""
        found = np.full(len(text.lengths), -1, dtype=np.int64)
        short = np.flatnonzero(text.lengths <= self._longest)  # none of the others can be in the list
        found[short] = self._index.positions(text.hashes(short, self._salt).view(np.int64))
        return text.confirmed(np.arange(len(found)), found, self._values, lambda positions: positions)
