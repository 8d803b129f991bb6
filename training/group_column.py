"""A column of a log as groups: 64 bits for each value, the same in whatever type a file holds it."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.encoding import Ragged
from ranker.encoding.columns import Mask
from ranker.encoding.text import Text, splitmix64
from training.log import Chunk, DataError


class GroupColumn:
    """Hashes one column of all chunks of a log: integers of all widths alike, whole floats as integers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._first: tuple[str, str] | None = None

    def of(self, chunk: Chunk) -> tuple[NDArray[np.uint64], Mask]:
        """Hashes [N], and which rows [N] have a value.

        Raises ``DataError`` for lists, and where one file holds text and another numbers: their values never meet.
        """
        column = chunk.columns[self.name]
        if isinstance(column, Ragged):
            raise DataError(f"{chunk.source}, column {self.name!r}: holds lists; a group is one value a row")
        plain = isinstance(column, np.ndarray) and column.dtype.kind in "iubfM"
        hashes, known = _of_array(column) if plain else _of_text(column)
        if known.any():
            kind = "text" if not plain else "dates or times" if column.dtype.kind == "M" else "numbers"  # type: ignore[union-attr]
            first, expected = self._first = self._first or (chunk.source, kind)
            if kind != expected:
                raise DataError(
                    f"column {self.name!r} holds {expected} in {first} and {kind} in {chunk.source}; groups can be "
                    "told only where all files hold the same"
                )
        return hashes, known

    def whole(self, chunk: Chunk) -> NDArray[np.uint64]:
        """Hashes [N]. Raises ``DataError`` naming the first row without a value as well."""
        hashes, known = self.of(chunk)
        if not known.all():
            row = chunk.first + int(np.argmin(known))
            raise DataError(f"{chunk.source}, row {row}, column {self.name!r}: no value to split by group on")
        return hashes


def _of_array(column: Any) -> tuple[NDArray[np.uint64], Mask]:
    known = ~np.ma.getmaskarray(column)
    values = np.ma.getdata(column)
    if values.dtype.kind == "M":
        known = known & ~np.isnat(values)
        values = values.astype("datetime64[us]").view(np.int64)
    elif values.dtype.kind == "f":
        values = values.astype(np.float64)
        known = known & ~np.isnan(values)
        whole = known & (values == np.floor(values)) & (np.abs(values) < 2.0**63)
        bits = (values + 0.0).view(np.uint64)
        return splitmix64(np.where(whole, np.where(whole, values, 0.0).astype(np.int64).view(np.uint64), bits)), known
    bits = values if values.dtype == np.uint64 else values.astype(np.int64).view(np.uint64)
    return splitmix64(bits), known


def _of_text(column: Any) -> tuple[NDArray[np.uint64], Mask]:
    if not isinstance(column, Text):
        places, texts = pd.factorize(np.array([*column, None], dtype=object)[:-1])  # null is at -1
        found = Text.of([str(text) for text in texts])
        column = Text(found.data, found.offsets, places.astype(np.int64))
    hashes = np.append(column.hashes(np.arange(len(column.offsets) - 1)), np.uint64(0))
    return hashes[column.rows], column.rows >= 0
