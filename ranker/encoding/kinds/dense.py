"""Dense features: a vector of fixed size per row, not transformed."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import LARGEST_INPUT, Column, ColumnError, Ragged, numbers, require
from ranker.encoding.kinds.base import FEATURE_KINDS, Comparable, Encoding, FixedKind, RequestType
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.lists import list_codes, ragged


@FEATURE_KINDS.register("dense")
class Dense(FixedKind):
    """A vector of fixed size per row, for example a content embedding; null means all zeros."""

    kind: Literal["dense"]
    size: int = Field(ge=1, le=65536, description="Length of the vector.")

    holds_times: ClassVar[bool] = False
    compared_as: ClassVar[Comparable | None] = "vector"

    def listed(self, column: Column, name: str) -> NDArray[np.float32]:
        """The vectors [N, size]."""
        return vectors(column, name, self.size)

    def encoding(self) -> "DenseEncoding":
        """Return the encoding."""
        return DenseEncoding(self)


@dataclass(frozen=True)
class DenseEncoding(Encoding):
    """Encodes to the vector itself."""

    feature: Dense

    @property
    def request_type(self) -> RequestType:
        """A list of ``size`` numbers."""
        return RequestType("number", listed=True, size=self.feature.size, times=False)

    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add ``size`` numbers."""
        builder.numbers(side, name, self.feature.size)

    def numbers(self, column: Column, name: str) -> NDArray[np.float32]:
        """Vectors [N, size]."""
        return vectors(column, name, self.feature.size)


def vectors(column: Column, name: str, size: int) -> NDArray[np.float32]:
    """Vectors [N, size] of finite numbers; null and the empty list are all zeros."""
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.dtype.kind in "iubf":
        return _matrix(column, name, size)
    lists = ragged(column, name, None)
    lengths = np.diff(lists.offsets)
    fits = (lengths == size) | (lengths == 0)
    if not fits.all():
        row = int(np.argmin(fits))
        part = lists.values[lists.offsets[row] : lists.offsets[row + 1]]
        value = part.tolist() if isinstance(part, np.ndarray) else list(part)
        raise ColumnError(name, row, value, f"a vector of {size} numbers; it has {len(value)}")
    flat = list_codes(numbers, lists, name)
    array = np.zeros((len(lists), size), dtype=np.float32)
    array[lengths == size] = flat.reshape(-1, size)
    _require_fitting(array, name)
    return array


def _matrix(matrix: NDArray[Any], name: str, size: int) -> NDArray[np.float32]:
    if matrix.shape[1] != size:
        raise ColumnError(name, 0, matrix[:1].tolist(), f"a vector of {size} numbers; it has {matrix.shape[1]}")
    if isinstance(matrix, np.ma.MaskedArray):
        filled = np.ma.filled(matrix.astype(np.float64), np.nan)
        filled[np.ma.getmaskarray(matrix).all(axis=1)] = 0.0
        matrix = filled
    flat = matrix.reshape(-1)
    offsets = np.arange(len(matrix) + 1) * size
    array: NDArray[np.float32] = list_codes(numbers, Ragged(flat, offsets), name).astype(np.float32).reshape(-1, size)
    _require_fitting(array, name)
    return array


def _require_fitting(array: NDArray[np.float32], name: str) -> None:
    require(np.asarray(~np.isnan(array).any(axis=1)), array, name, "a vector without missing numbers")
    if array.size and np.abs(array).max() > LARGEST_INPUT:
        fits = np.asarray((np.abs(array) <= LARGEST_INPUT).all(axis=1))
        require(fits, array, name, f"a vector of numbers of at most {LARGEST_INPUT:g} in size")
