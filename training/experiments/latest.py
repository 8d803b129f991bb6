"""The latest row of a key before a time, among millions."""

import numpy as np
from numpy.typing import NDArray

from training.exposures.keys import Keys

Ints = NDArray[np.int64]
NONE = -1
"""No row."""


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
        """Rows [N], ``NONE`` where there is none at or before the time, and whether the key has any row [N]."""
        if not len(self._keys):
            return np.full(len(keys), NONE, dtype=np.int64), np.zeros(len(keys), dtype=bool)
        codes = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = self._keys[codes] == keys
        begin = codes.astype(np.int64) * self._span
        at = begin + np.clip(times - self._first + 1, 0, self._span - 1)
        place = np.maximum(np.searchsorted(self._line, at, side="right") - 1, 0)
        found = known & (self._line[place] > begin) & (self._line[place] <= at)
        return np.where(found, self._order[place], NONE), known

    def earliest(self, keys: Keys) -> Ints:
        """First rows [N] of keys that have any."""
        begin = np.searchsorted(self._keys, keys).astype(np.int64) * self._span
        return self._order[np.searchsorted(self._line, begin, side="right")]
