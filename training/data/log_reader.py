"""Reads an impression log as a stream of typed columns from Parquet or CSV files, folders and globs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from os.path import abspath, realpath
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from ranker.arrow_columns import ColumnTypeError, to_column
from ranker.encoding import Column, ColumnError
from ranker.encoding.columns import Mask, shortened
from training.config.csv_options import CsvOptions
from training.data.errors import DataError as DataError
from training.data.files import FilePart
from training.data.files.csv_types import Kind, Resolved, merged
from training.data.files.csv_values import converted
from training.data.files.find import find_files
from training.data.files.hive import unpadded
from training.data.files.part import format_by_name
from training.data.files.resolve import check_families, resolve

Source: TypeAlias = Sequence[str | Path]


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
            located = ColumnError(error.column, row, error.value, error.expected)
            raise DataError(_message(self.source, self.first, located)) from None


class Log:
    """A log that can be streamed any number of times in bounded memory.

    ``kinds`` are the kinds of CSV columns (text by default), ``csv`` is the CSV format. ``notes`` are messages for the
    user, such as skipped files.
    """

    def __init__(self, source: Source, kinds: Mapping[str, Kind] | None = None, csv: CsvOptions | None = None) -> None:
        found = find_files(source)
        self.notes: list[str] = found.notes
        self.kinds, self.csv = dict(kinds or {}), csv
        self._parts = [_opened(path, csv) for path in found.files]

    def typed(self, kinds: Mapping[str, Kind]) -> "Log":
        """The same log with more column kinds."""
        log = Log.__new__(Log)
        log.notes, log.csv, log._parts = self.notes, self.csv, self._parts
        log.kinds = merged(self.kinds, kinds)
        return log

    def beside(self, source: Source) -> "Log":
        """Another log with the same column types and CSV format."""
        return Log(source, self._resolved, self.csv)

    def __len__(self) -> int:
        """Number of rows; CSV files count as 0 because their length is unknown."""
        return sum(part.rows for part in self._parts)

    def paths(self) -> list[str]:
        """Absolute paths of the files."""
        return [abspath(part.path) for part in self._parts]

    def shared(self, other: "Log") -> list[str]:
        """Names of the files that are also in another log."""
        theirs = {realpath(path) for path in other.paths()}
        return [part.name for part in self._parts if realpath(part.path) in theirs]

    def fingerprint(self) -> list[Any]:
        """Names, sizes and modification times of the files, which identify the log."""
        return [part.fingerprint() for part in self._parts]

    def chunks(self, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Chunk]:
        """Stream the columns in chunks. Files without an ``optional`` column that another file has yield nulls.

        Raises ``DataError`` for a missing column, a wrong type or a broken file.
        """
        for part, first, number, rows, arrays in self._read(columns, optional):
            found = {name: self._column(part, name, array, first) for name, array in arrays.items()}
            found |= {name: np.full(rows, np.nan) for name in columns if name not in found}
            yield Chunk(part.name, first, number, rows, found)

    def tables(
        self, columns: Sequence[str], optional: Sequence[str], keys: Sequence[str]
    ) -> Iterator[tuple[Chunk, pa.Table]]:
        """Stream the columns as Arrow tables of converted values, and the columns ``keys`` of the same rows."""
        for part, first, number, rows, arrays in self._read(columns, optional):
            found = {name: self._column(part, name, arrays[name], first) for name in keys}
            typed = {name: self._typed(part, name, array, first) for name, array in arrays.items()}
            yield Chunk(part.name, first, number, rows, found), pa.table(typed)

    def _read(
        self, columns: Sequence[str], optional: Sequence[str]
    ) -> Iterator[tuple[FilePart, int, int, int, dict[str, Any]]]:
        """Each batch of each file: first row in the file and in the log, rows, and Arrow arrays by column."""
        number = 0
        names = [part.columns() for part in self._parts]
        spare = {column for column in optional if any(column in known for known in names)}
        wanted = []
        for part, known in zip(self._parts, names, strict=True):
            wanted.append([column for column in columns if column not in spare or column in known])
            part.check(wanted[-1], self._parts)
        check_families(self._parts, self.kinds, columns)
        for part, present in zip(self._parts, wanted, strict=True):
            first = 0
            for rows, arrays in part.batches([column for column in present if not part.in_path(column)]):
                of_path = {name: self._repeated(part, name, rows) for name in present if part.in_path(name)}
                yield part, first, number, rows, {**arrays, **of_path}
                first += rows
                number += rows

    @cached_property
    def _resolved(self) -> dict[str, Resolved]:
        return resolve(self._parts, self.kinds)

    def _column(self, part: FilePart, name: str, array: Any, first: int) -> Column:
        """Convert an Arrow array to a column. Raises ``DataError`` for an unsupported type or value."""
        try:
            return to_column(self._typed(part, name, array, first), name, distinct=True)
        except ColumnTypeError as error:
            raise DataError(f"{part.name}: {error}") from None
        except ColumnError as error:
            raise DataError(_message(part.name, first, error)) from None

    def _typed(self, part: FilePart, name: str, array: Any, first: int) -> Any:
        """An Arrow array of values: text of a CSV file is converted. Raises ``DataError``."""
        if part.in_path(name):
            return array
        kind = self._resolved.get(name, "text") if part.holds_text(name) else "text"
        try:
            return part.typed(array, name, kind)
        except ColumnError as error:
            raise DataError(_message(part.name, first, error)) from None

    def _repeated(self, part: FilePart, name: str, rows: int) -> Any:
        """An Arrow array whose value comes from the path, repeated for each row."""
        kind, text = self._resolved.get(name, "text"), part.folders[name]
        value = pa.array([unpadded(text) if kind in ("integer", "unsigned") else text], pa.string())
        try:
            array = converted(value, name, kind)
        except ColumnError as error:
            shown = f"{shortened(error.value)} is not {error.expected}"
            raise DataError(f"{part.name}, column {name!r} of its path: {shown}") from None
        return array.take(pa.array(np.zeros(rows, dtype=np.int64)))


def _opened(path: Path, csv: CsvOptions | None) -> FilePart:
    part = format_by_name(path)
    assert part is not None, "find_files finds no others"
    return part(path, csv)


def _message(source: str, first: int, error: ColumnError) -> str:
    """Error message with file, row in the file, column and value."""
    shown = f"{shortened(error.value)} is not {error.expected}"
    return f"{source}, row {first + error.row}, column {error.column!r}: {shown}"
