"""Hashes a column's values to 64-bit group keys, independent of the type in which a file stores them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ranker.encoding import Ragged
from ranker.encoding.columns import Mask
from ranker.encoding.text import Text, splitmix64
from ranker.log_files.log_reader import Chunk, DataError
from training.data.split.missing import missing


class GroupColumn:
    """Hashes one column over all chunks of a log; integers of all widths and whole floats hash alike."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._first: tuple[str, str] | None = None

    def of(self, chunk: Chunk) -> tuple[NDArray[np.uint64], Mask]:
        """Hashes [N] and a mask [N] of rows with a group; null, NaN and empty text have none.

        Raises ``DataError`` for lists and infinite numbers, and if one file holds text and another numbers, whose
        values would never match.
        """
        column = chunk.columns[self.name]
        if isinstance(column, Ragged):
            raise DataError(f"{chunk.source}, column {self.name!r}: holds lists; a group must be one value per row")
        known = ~missing(column)
        if isinstance(column, np.ndarray) and column.dtype.kind in "iubfM":
            if column.dtype.kind == "f" and (infinite := known & np.isinf(np.ma.getdata(column))).any():
                raise self._error(chunk, infinite, "an infinite number cannot be a group")
            hashes, kind = _of_array(column, known), "dates or times" if column.dtype.kind == "M" else "numbers"
        else:
            hashes, kind = _of_text(column), "text"
        if known.any():
            first, expected = self._first = self._first or (chunk.source, kind)
            if kind != expected:
                raise DataError(
                    f"column {self.name!r} holds {expected} in {first} and {kind} in {chunk.source}; all files "
                    "must hold the same type of groups"
                )
        return hashes, known

    def whole(self, chunk: Chunk) -> NDArray[np.uint64]:
        """Hashes [N]. Also raises ``DataError`` naming the first row without a group."""
        hashes, known = self.of(chunk)
        if not known.all():
            raise self._error(
                chunk, ~known, "no value to split by group on; remove such rows, or give each its own group"
            )
        return hashes

    def _error(self, chunk: Chunk, wrong: Mask, what: str) -> DataError:
        """Error about the first row in the mask [N]."""
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
