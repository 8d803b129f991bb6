"""Sorted files of keys, by which later runs know what earlier ones have written."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.exposures.keys import Keys


class KeyIndex:
    """Files of sorted keys, mapped into memory, so that only the pages that are looked at are read."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._arrays = [np.memmap(file, dtype=np.uint64, mode="r") for file in files if file.stat().st_size]

    def __contains__(self, key: object) -> bool:
        return bool(self.holds(np.array([key], dtype=np.uint64))[0])

    def holds(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Whether each key [N] is in one of the files."""
        found = np.zeros(keys.size, dtype=bool)
        for array in self._arrays:
            at = np.minimum(np.searchsorted(array, keys), array.size - 1)
            found |= array[at] == keys
        return found


class SortedKeys:
    """Writes one file of keys, given in parts whose ranges ascend."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def add(self, keys: Keys) -> None:
        """Append a part's distinct keys in order."""
        ordered = np.sort(keys)
        with self.path.open("ab") as file:
            ordered[np.diff(ordered, prepend=~ordered[:1]) != 0].tofile(file)
