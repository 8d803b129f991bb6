"""Records of one type on disk, divided into parts of which each fits into memory."""

import shutil
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from training.exposures.keys import Keys

Records: TypeAlias = npt.NDArray[np.void]


class Spill:
    """Appends records to the file of their part; ``read`` returns a part whole.

    Attributes
    ----------
    parts
        Number of parts.
    """

    def __init__(self, folder: Path, kind: Any, parts: int) -> None:
        folder.mkdir(parents=True)
        self.parts = parts
        self._folder, self._kind = folder, np.dtype(kind)

    def add(self, part: npt.NDArray[np.integer], **columns: npt.NDArray[Any]) -> None:
        """Append records, given by columns [N], each to the file of its part [N]."""
        if not part.size:
            return
        order = np.argsort(part, kind="stable")
        records = np.empty(part.size, dtype=self._kind)
        for name, values in columns.items():
            records[name] = values[order]
        numbers, starts = np.unique(part[order], return_index=True)
        for number, some in zip(numbers.tolist(), np.split(records, starts[1:]), strict=True):
            with self._path(number).open("ab") as file:
                some.tofile(file)

    def read(self, part: int) -> Records:
        """Records of a part in the order in which they were added."""
        path = self._path(part)
        return np.fromfile(path, dtype=self._kind) if path.exists() else np.empty(0, dtype=self._kind)

    def close(self) -> None:
        """Remove what is left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, part: int) -> Path:
        return self._folder / f"{part:06d}"


def bits_for(records: int, size: int) -> int:
    """Leading bits of a key that divide so many records into parts of about ``size``; at most 10."""
    return min(max(int(np.ceil(np.log2(max(records, 1) / size))), 0), 10)


def leading(keys: Keys, bits: int) -> npt.NDArray[np.int64]:
    """The leading bits of keys [N], so that parts are in the order of keys."""
    if bits == 0:
        return np.zeros(keys.size, dtype=np.int64)
    return (keys >> np.uint64(64 - bits)).astype(np.int64)
