"""Encodes the numeric features of one side together, since the cost of a small request is the number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import (
    LARGEST_INPUT,
    Integers,
    require,
    require_finite,
    same_type,
    unchecked_numbers,
)
from ranker.encoding.kinds.base import Block, Columns, Part

if TYPE_CHECKING:
    from ranker.encoding.kinds.numeric import NumericEncoding

LIMIT = 8.0
"""Standardised values are clipped here, so that an outlier in a request does not dominate all other inputs."""


class NumericBlock(Block):
    """Encodes all standardised and plain numbers of one side together, and those with edges one by one."""

    def __init__(self, parts: Sequence[Part[NumericEncoding]]) -> None:
        self._buckets = [(part, part.ids.start) for part in parts if part.ids]
        numeric = [(part, part.numbers.start) for part in parts if part.numbers]
        self._pieces = [placed for placed in numeric if placed[0].encoding.feature.has_edges]
        plain = [placed for placed in numeric if not placed[0].encoding.feature.has_edges]
        # log1p features first, so that they form one slice.
        plain.sort(key=lambda placed: placed[0].encoding.feature.transform != "log1p")
        encodings = [part.encoding for part, _ in plain]
        transforms = [encoding.feature.transform for encoding in encodings]
        self._columns = [part.column for part, _ in plain]
        self._logs = transforms.count("log1p")
        self._means = np.array([[encoding.mean] for encoding in encodings])
        self._deviations = np.array([[encoding.deviation] for encoding in encodings])
        self._places = np.array([start for _, start in plain], dtype=np.intp)
        self._flagged = [row for row, encoding in enumerate(encodings) if encoding.has_missing]
        self._plain = [row for row, transform in enumerate(transforms) if transform == "none"]
        self._limits = np.array([[np.inf if transform == "none" else LIMIT] for transform in transforms])
        self._least = -self._limits

    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Write each feature's bucket to its row of ids [I, N], or its inputs to rows of numbers [F, N].

        The inputs are the number and, if training had missing values, a missing flag. A missing value becomes the mean.
        Raises ``ColumnError``.
        """
        del codes
        for part, place in self._buckets:
            ids[place] = part.encoding.bucket(columns[part.column], part.column)
        for part, place in self._pieces:
            column = columns[part.column]
            numbers[place] = part.encoding.place(column, part.column)
            if part.encoding.has_missing:
                numbers[place + 1] = np.isnan(unchecked_numbers(column, part.column))
        if self._columns:
            self._write_numbers(numbers, columns)

    def _write_numbers(self, by_column: NDArray[np.float32], columns: Columns) -> None:
        given = [columns[name] for name in self._columns]
        values = same_type(given, np.float64)
        if values is None:
            values = np.stack(
                [unchecked_numbers(column, name) for column, name in zip(given, self._columns, strict=True)]
            )
        sizes = np.abs(values)
        require_finite(values, sizes, self._columns)
        for row in self._plain:
            too_large = sizes[row] > LARGEST_INPUT
            require(~too_large, values[row], self._columns[row], f"a number of at most {LARGEST_INPUT:g} in size")
        if self._logs:
            logarithms = np.log1p(sizes[: self._logs])
            np.copysign(logarithms, values[: self._logs], out=values[: self._logs])
        missing = np.isnan(values)
        values -= self._means
        values /= self._deviations
        np.maximum(values, self._least, out=values)
        np.minimum(values, self._limits, out=values)
        np.copyto(values, 0.0, where=missing)
        by_column[self._places] = values
        if self._flagged:
            by_column[self._places[self._flagged] + 1] = missing[self._flagged]
