"""Encodes the columns of one side; blocks are built once per encoder and run on each batch."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Integers, common_rows
from ranker.encoding.kinds.base import Columns, Encoding, Part
from ranker.encoding.layout import IdField, Key, NumberField, SideLayout

StatisticsInputs: TypeAlias = Callable[[Key], NDArray[np.float32]]


class SideEncoder:
    """The features of one side: columns and encodings by feature name, and the layout.

    Numbers of features without a column are 0.
    """

    def __init__(self, columns: Mapping[str, str], encodings: Mapping[str, Encoding], layout: SideLayout) -> None:
        self._id_width, self._number_width = layout.id_width, layout.number_width
        self._columns = list(columns.values())
        self._statistics = [(_place(field), field.key) for field in layout.statistics]
        self._trees = [_place(field) for field in layout.trees]
        ids = {field.feature: _place(field) for field in layout.ids}
        computed = (*layout.statistics, *layout.trees)
        numbers = {field.feature: _place(field) for field in layout.numbers if field not in computed}
        self._absent = [place for name, place in numbers.items() if name not in columns]
        numbers = {name: place for name, place in numbers.items() if name in columns}
        by_kind: dict[type[Encoding], list[Part[Any]]] = {}
        for name in {**ids, **numbers}:
            part = Part(name, columns[name], encodings[name], ids.get(name), numbers.get(name))
            by_kind.setdefault(type(part.encoding), []).append(part)
        self._blocks = [kind.block(parts) for kind, parts in by_kind.items()]

    def rows(self, columns: Columns) -> int:
        """Return the number of rows N. Raises ``ColumnError`` if a column is missing or of different length."""
        return common_rows(columns, self._columns)

    def codes(self, columns: Columns, rows: int) -> Mapping[str, Integers]:
        """Codes [N] of each feature that has codes."""
        return {name: codes for block in self._blocks for name, codes in block.codes(columns, rows).items()}

    def encode(
        self, columns: Columns, codes: Mapping[str, Integers], rows: int, statistics: StatisticsInputs
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Ids [N, layout.id_width] and numbers [N, layout.number_width]; tree scores, of both sides, are left at 0."""
        ids = np.empty((self._id_width, rows), dtype=np.int32)  # written by column and transposed at the end
        numbers = np.empty((self._number_width, rows), dtype=np.float32)
        for block in self._blocks:
            block.write(ids, numbers, columns, codes)
        for place in self._absent:
            numbers[place] = 0
        for place, key in self._statistics:
            numbers[place] = statistics(key).T
        for place in self._trees:
            numbers[place] = 0.0
        return np.ascontiguousarray(ids.T), np.ascontiguousarray(numbers.T)


class ComputedInputs:
    """Encodes inputs that are computed from other columns, and writes them among the candidates' numbers."""

    def __init__(self, names: Collection[str], encodings: Mapping[str, Encoding], layout: SideLayout) -> None:
        parts: list[Part[Any]] = []
        places: list[int] = []
        width = 0
        for field in layout.numbers:
            if field.feature in names:
                here = slice(width, width + field.length)
                parts.append(Part(field.feature, field.feature, encodings[field.feature], None, here))
                places += range(field.start, field.start + field.length)
                width += field.length
        self._block = type(parts[0].encoding).block(parts)
        self._places = places

    def write(self, numbers: NDArray[np.float32], inputs: Columns) -> None:
        """Write inputs [N] by name to their columns of numbers [N, F]."""
        encoded = np.empty((len(self._places), len(numbers)), dtype=np.float32)
        self._block.write(np.empty((0, len(numbers)), dtype=np.int32), encoded, inputs, {})
        numbers[:, self._places] = encoded.T


def _place(field: IdField | NumberField) -> slice:
    return slice(field.start, field.start + field.length)
