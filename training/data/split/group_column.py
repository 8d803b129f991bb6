"""A column of a log as groups: 64 bits for each value, the same in whatever type a file holds it."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.encoding import Ragged
from ranker.encoding.columns import Mask
from ranker.encoding.text import Text, splitmix64
from training.data.log_reader import Chunk, DataError
from training.data.split.missing import missing


class GroupColumn:
    """Hashes one column of all chunks of a log: integers of all widths alike, whole floats as integers."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._first: tuple[str, str] | None = None

    def of(self, chunk: Chunk) -> tuple[NDArray[np.uint64], Mask]:
        """Hashes [N], and which rows [N] have a group: null, NaN and empty text are none.

        Raises ``DataError`` for lists and infinite numbers, and where one file holds text and another numbers: their
        values never meet.
        """
        column = chunk.columns[self.name]
        if isinstance(column, Ragged):
            raise DataError(f"{chunk.source}, column {self.name!r}: holds lists; a group is one value a row")
        known = ~missing(column)
        if isinstance(column, np.ndarray) and column.dtype.kind in "iubfM":
            if column.dtype.kind == "f" and (infinite := known & np.isinf(np.ma.getdata(column))).any():
                raise self._error(chunk, infinite, "an infinite number is no group")
            hashes, kind = _of_array(column, known), "dates or times" if column.dtype.kind == "M" else "numbers"
        else:
            hashes, kind = _of_text(column), "text"
        if known.any():
            first, expected = self._first = self._first or (chunk.source, kind)
            if kind != expected:
                raise DataError(
                    f"column {self.name!r} holds {expected} in {first} and {kind} in {chunk.source}; groups can be "
                    "told only where all files hold the same"
                )
        return hashes, known

    def whole(self, chunk: Chunk) -> NDArray[np.uint64]:
        """Hashes [N]. Raises ``DataError`` naming the first row without a group as well."""
        hashes, known = self.of(chunk)
        if not known.all():
            raise self._error(
                chunk, ~known, "no value to split by group on; leave such rows out, or give each a group of its own"
            )
        return hashes

    def _error(self, chunk: Chunk, wrong: Mask, what: str) -> DataError:
        """About the first of the wrong rows [N]."""
        return DataError(f"{chunk.source}, row {chunk.first + int(np.argmax(wrong))}, column {self.name!r}: {what}")


def _of_array(column: Any, known: Mask) -> NDArray[np.uint64]:
    values = np.ma.getdata(column)
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]").view(np.int64)
    elif values.dtype.kind == "f":
        values = values.astype(np.float64)
        whole = known & (values == np.floor(values)) & (np.abs(values) < 2.0**63)
        bits = (values + 0.0).view(np.uint64)
        return splitmix64(np.where(whole, np.where(whole, values, 0.0).astype(np.int64).view(np.uint64), bits))
    bits = values if values.dtype == np.uint64 else values.astype(np.int64).view(np.uint64)
    return splitmix64(bits)


def _of_text(column: Any) -> NDArray[np.uint64]:
    if not isinstance(column, Text):
        places, texts = pd.factorize(np.array([*column, None], dtype=object)[:-1])  # null is at -1
        distinct = Text.of([str(text) for text in texts])
        column = Text(distinct.data, distinct.offsets, places.astype(np.int64))
    hashes = np.append(column.hashes(np.arange(len(column.offsets) - 1)), np.uint64(0))
    found: NDArray[np.uint64] = hashes[column.rows]
    return found
