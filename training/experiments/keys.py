"""64-bit keys of texts, and the latest row of a key before a time: millions of ids in bounded memory."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pandas.util import hash_array

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio, as in Knuth's multiplicative hashing


def keys_of(column: Any) -> tuple[Keys, NDArray[np.bool_]]:
    """Keys [N] of an Arrow column's values as text, and which values [N] are present: not null, and not empty text.

    Equal texts have equal keys, and 7 has that of "7". Among a hundred million different texts, two have the same key
    with a probability of 3 in 10,000.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if not pa.types.is_dictionary(array.type):
        array = pc.dictionary_encode(array)
    texts = pc.fill_null(pc.cast(array.dictionary, pa.string()), "")
    hashed = hash_array(texts.to_numpy(zero_copy_only=False).astype(object), categorize=False)
    codes = array.indices.to_numpy(zero_copy_only=False)
    present = ~np.isnan(codes) if codes.dtype.kind == "f" else np.ones(len(codes), dtype=bool)
    filled = np.where(present, codes, 0).astype(np.intp)
    if not len(texts):
        return np.zeros(len(codes), dtype=np.uint64), np.zeros(len(codes), dtype=bool)
    present &= (pc.utf8_length(texts).to_numpy(zero_copy_only=False) > 0)[filled]
    return np.where(present, hashed[filled], np.uint64(0)), present


def joined(*keys: Keys) -> Keys:
    """One key [N] of several; their order matters."""
    found = np.zeros(len(keys[0]), dtype=np.uint64)
    for part in keys:
        found = (found ^ part) * _MIX
        found ^= found >> np.uint64(32)
    return found


class Latest:
    """Finds, of rows with keys and times [R], the latest one of a key at or before a time.

    Raises ``ValueError`` if keys and times together do not fit into 63 bits: a hundred million keys over two years do.
    """

    def __init__(self, keys: Keys, times: Ints) -> None:
        self._keys, codes = np.unique(keys, return_inverse=True)
        self._first = int(times.min()) if len(times) else 0
        self._span = int(times.max()) - self._first + 2 if len(times) else 2
        if len(self._keys) * self._span >= 2**63:
            raise ValueError("there are too many requests over too long a time to match events to: narrow the time")
        line = codes.astype(np.int64) * self._span + (times - self._first + 1)
        self._order = np.argsort(line, kind="stable")
        self._line = line[self._order]

    def find(self, keys: Keys, times: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Rows [N], -1 where there is none at or before the time, and whether there is any row of the key [N]."""
        if not len(self._keys):
            return np.full(len(keys), -1, dtype=np.int64), np.zeros(len(keys), dtype=bool)
        codes = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[codes] == keys
        begin = codes.astype(np.int64) * self._span
        at = begin + np.clip(times - self._first + 1, 0, self._span - 1)
        place = np.searchsorted(self._line, at, side="right") - 1
        found = known & (place >= 0) & (self._line[np.maximum(place, 0)] > begin)
        return np.where(found, self._order[np.maximum(place, 0)], -1), known
