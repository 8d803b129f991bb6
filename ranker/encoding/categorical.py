"""Categorical features of one side, encoded together: a request of few rows costs what its calls cost."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, Integers, same_type
from ranker.encoding.vocabulary import RESERVED, Coder, Vocabulary


class CategoricalPart(NamedTuple):
    """A feature of a :class:`CategoricalBlock`: where it is read from, and its place among the side's columns of ids.

    ``ids`` maps its codes to rows of the embedding table.
    """

    name: str
    column: str
    coder: Coder
    ids: NDArray[np.int32]
    place: int


class CategoricalBlock:
    """Codes and ids of F features. Integers that lie close together are looked up in tables, all at once."""

    def __init__(self, parts: Sequence[CategoricalPart]) -> None:
        indices = [part.coder.index() if isinstance(part.coder, Vocabulary) else None for part in parts]
        tables = [(part, index.table) for part, index in zip(parts, indices, strict=True) if index and index.table]
        self._tables = [table.positions for _, table in tables]
        self._low = np.array([[table.low] for _, table in tables], dtype=np.int64)
        self._span = np.array([[table.span] for _, table in tables], dtype=np.uint64)
        rest = [part for part, index in zip(parts, indices, strict=True) if not (index and index.table)]
        self._parts = [*(part for part, _ in tables), *rest]
        self._tabled = [part for part, _ in tables]

    def codes(self, columns: Mapping[str, Column], rows: int) -> Mapping[str, Integers]:
        """Codes [N] by feature. Raises ``ColumnError``."""
        codes = np.empty((len(self._parts), rows), dtype=np.int64)
        count = len(self._tables)
        if count:
            self._look_up(columns, codes[:count])
        for row, part in zip(codes[count:], self._parts[count:], strict=True):
            row[:] = part.coder.codes(columns[part.column], part.column)
        return {part.name: row for part, row in zip(self._parts, codes, strict=True)}

    def ids_into(self, by_column: NDArray[np.int32], codes: Mapping[str, Integers]) -> None:
        """Write each feature's ids to its row of [W, N]."""
        for part in self._parts:
            part.ids.take(codes[part.name], out=by_column[part.place], mode="clip")

    def _look_up(self, columns: Mapping[str, Column], codes: Integers) -> None:
        given = [columns[part.column] for part in self._tabled]
        values = same_type(given, np.int64)
        nulls = values is None or (values.size and values.min() == MISSING)
        if values is None or nulls:
            values = np.stack([part.coder.read(columns[part.column], part.column) for part in self._tabled])
        # Differences wrap around, so that taken as unsigned those of all values outside are large.
        places = np.minimum((values - self._low).view(np.uint64), self._span).view(np.int64)
        for table, row, found in zip(self._tables, places, codes, strict=True):
            table.take(row, out=found, mode="clip")
        codes += RESERVED  # what is in no table is at -1, and so becomes UNSEEN
        if nulls:
            codes[values == MISSING] = 0
