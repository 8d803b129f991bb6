"""How the rows of a table beside the graph are stored: registered by the name of their precision."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.registry import Registry

Arrays = Mapping[str, NDArray[Any]]
"""Arrays of a table by the ending of their file's name: ``""`` for the rows [V, D], others have one entry a row [V]."""


class RowFormat(ABC):
    """Converts rows to stored arrays, and gathers rows from these."""

    kinds: Mapping[str, str]
    """NumPy type of each stored array, by the ending of its file's name."""

    @abstractmethod
    def stored(self, rows: NDArray[np.float32]) -> Arrays:
        """What is stored of rows [N, D]."""

    @abstractmethod
    def take(self, arrays: Arrays, ids: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Write the rows of ids [N, L] to ``out`` [N, L, D]."""

    def rounded(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows [N, D] as they are read once they were stored."""
        out = np.empty((len(rows), 1, rows.shape[1]), dtype=np.float32)
        self.take(self.stored(rows), np.arange(len(rows))[:, None], out)
        return out[:, 0]


ROW_FORMATS: Registry[type[RowFormat]] = Registry("table precision")


@ROW_FORMATS.register("float32")
class Float32Rows(RowFormat):
    """Rows as they were trained."""

    kinds: Mapping[str, str] = {"": "<f4"}

    def stored(self, rows: NDArray[np.float32]) -> Arrays:
        """The rows."""
        return {"": rows}

    def take(self, arrays: Arrays, ids: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Copy the rows; with another ``mode`` NumPy would copy them twice."""
        arrays[""].take(ids, axis=0, out=out, mode="clip")


@ROW_FORMATS.register("float16")
class Float16Rows(RowFormat):
    """Rows in half the bytes; entries differ by at most 2**-11 of their size, or 2**-25."""

    kinds: Mapping[str, str] = {"": "<f2"}

    def stored(self, rows: NDArray[np.float32]) -> Arrays:
        """Round to the nearest; values beyond 65,504 are stored as that."""
        return {"": np.clip(rows, -65504, 65504).astype(np.float16)}

    def take(self, arrays: Arrays, ids: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Convert the rows."""
        out[:] = arrays[""].take(ids, axis=0, mode="clip")


@ROW_FORMATS.register("int8")
class Int8Rows(RowFormat):
    """Rows in a quarter of the bytes: multiples of a scale per row, a 127th of its largest absolute value."""

    kinds: Mapping[str, str] = {"": "|i1", ".scale": "<f4"}

    def stored(self, rows: NDArray[np.float32]) -> Arrays:
        """Round to the nearest multiple of each row's scale."""
        scale = np.abs(rows).max(axis=1, initial=0.0) / np.float32(127)
        multiples = np.rint(rows / np.where(scale > 0, scale, 1)[:, None])
        return {"": multiples.astype(np.int8), ".scale": scale.astype(np.float32)}

    def take(self, arrays: Arrays, ids: NDArray[Any], out: NDArray[np.float32]) -> None:
        """Multiply the rows by their scales."""
        scales = arrays[".scale"].take(ids, mode="clip")
        np.multiply(arrays[""].take(ids, axis=0, mode="clip"), scales[..., None], out=out)
