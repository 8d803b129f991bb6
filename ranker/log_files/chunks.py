"""Rows of one file of a log: as Arrow arrays, and as columns."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.arrow_columns import ColumnTypeError, to_column
from ranker.encoding import Column, ColumnError
from ranker.encoding.columns import Mask, shortened
from ranker.log_files.errors import DataError


@dataclass(frozen=True)
class ArrowChunk:
    """Rows of one file as Arrow arrays [N] by column; other fields are as in :class:`Chunk`.

    Columns of text files have their types in ``arrays``; ``kept`` has columns as the file stores them.
    """

    source: str
    first: int
    number: int
    rows: int
    arrays: Mapping[str, Any]
    kept: Mapping[str, Any]

    def rows_from(self, start: int, stop: int) -> "ArrowChunk":
        """Rows ``start`` to ``stop`` of the chunk."""
        arrays, kept = (
            {name: array.slice(start, stop - start) for name, array in columns.items()}
            for columns in (self.arrays, self.kept)
        )
        return ArrowChunk(self.source, self.first + start, self.number + start, stop - start, arrays, kept)

    def converted(self, names: Collection[str] | None = None) -> "Chunk":
        """The same rows as columns, all or some. Raises ``DataError`` for an unsupported type or value."""
        columns = {name: self._column(name) for name in (self.arrays if names is None else names)}
        return Chunk(self.source, self.first, self.number, self.rows, columns)

    def _column(self, name: str) -> Column:
        try:
            return to_column(self.arrays[name], name, distinct=True)
        except ColumnTypeError as error:
            raise DataError(f"{self.source}: {error}") from None
        except ColumnError as error:
            raise DataError(located(self.source, self.first, error)) from None


@dataclass(frozen=True)
class Chunk:
    """Rows of one file; ``first`` is the first row's index in the file, ``number`` its index in the log."""

    source: str
    first: int
    number: int
    rows: int
    columns: Mapping[str, Column]

    @contextmanager
    def naming_rows(self, selected: Mask | None = None) -> Iterator[None]:
        """Turn a ``ColumnError`` about these columns (or ``selected`` rows) into a ``DataError`` naming the row."""
        try:
            yield
        except ColumnError as error:
            row = error.row if selected is None else int(np.flatnonzero(selected)[error.row])
            at = ColumnError(error.column, row, error.value, error.expected)
            raise DataError(located(self.source, self.first, at)) from None


def located(source: str, first: int, error: ColumnError) -> str:
    """Error message with file, row in the file, column and value."""
    shown = f"{shortened(error.value)} is not {error.expected}"
    return f"{source}, row {first + error.row}, column {error.column!r}: {shown}"
