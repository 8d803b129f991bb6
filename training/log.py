"""An impression log as a stream of typed columns: Parquet or CSV files, folders, globs, or a DataFrame."""

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from ranker.arrow_columns import ColumnTypeError, to_column
from ranker.encoding import Column, ColumnError
from ranker.encoding.columns import Mask, shortened
from ranker.registry import nearest

CHUNK = 65_536
Source: TypeAlias = "pd.DataFrame | Sequence[str | Path]"


class DataError(ValueError):
    """A log that cannot be used; its text names the file, and the column, row and value where there are any."""


@dataclass(frozen=True)
class Chunk:
    """Rows of one file: ``first`` counts within the file, ``number`` over the whole log."""

    source: str
    first: int
    number: int
    rows: int
    columns: Mapping[str, Column]

    @contextmanager
    def naming_rows(self, selected: Mask | None = None) -> Iterator[None]:
        """Turn a ``ColumnError`` about these columns, or about their ``selected`` rows, into a ``DataError``."""
        try:
            yield
        except ColumnError as error:
            row = error.row if selected is None else int(np.flatnonzero(selected)[error.row])
            told = ColumnError(error.column, row, error.value, error.expected)
            raise DataError(_told(self.source, self.first, told)) from None


class Log:
    """A log that can be streamed any number of times; memory does not grow with its length."""

    def __init__(self, source: Source) -> None:
        self._parts: list[_Part]
        if isinstance(source, pd.DataFrame):
            self._parts = [_Frame(source)]
        else:
            self._parts = [_FORMATS[path.suffix](path) for path in find_files(source)]

    def __len__(self) -> int:
        """Number of rows; CSV files are counted as unknown, that is 0."""
        return sum(part.rows for part in self._parts)

    def paths(self) -> list[str]:
        """The files, absolute; none for a DataFrame."""
        return [str(part.path.resolve()) for part in self._parts if isinstance(part, _File)]

    def fingerprint(self) -> list[Any]:
        """What tells this log from another: names, sizes and times of its files."""
        return [part.fingerprint() for part in self._parts]

    def chunks(self, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Chunk]:
        """Stream the columns in chunks. A file without an ``optional`` column, which some file has, gives nulls.

        Raises ``DataError`` for a missing column, a wrong type, a broken file.
        """
        number = 0
        names = [part.columns() for part in self._parts]
        spare = {column for column in optional if any(column in known for known in names)}
        for part, known in zip(self._parts, names, strict=True):
            first = 0
            absent = [column for column in columns if column in spare and column not in known]
            for batch in part.batches([column for column in columns if column not in absent]):
                converted = {
                    name: _converted(batch.column(i), name, part.name, first)
                    for i, name in enumerate(batch.schema.names)
                }
                converted |= {name: np.full(batch.num_rows, np.nan) for name in absent}
                yield Chunk(part.name, first, number, batch.num_rows, converted)
                first += batch.num_rows
                number += batch.num_rows


def find_files(paths: Sequence[str | Path]) -> list[Path]:
    """Files behind paths, folders and globs, sorted within each. Raises ``DataError`` where there are none."""
    found: list[Path] = []
    for path in map(str, paths):
        if Path(path).is_dir():
            matches = sorted(p for p in Path(path).rglob("*") if p.suffix in _FORMATS and p.is_file())
        else:
            matches = sorted(Path(p) for p in glob.glob(path, recursive=True)) or [Path(path)]
        if not matches:
            raise DataError(f"{path}: no {' or '.join(_FORMATS)} file in this folder")
        found.extend(matches)
    for file in found:
        if not file.is_file():
            raise DataError(f"{file}: no such file")
        if file.suffix not in _FORMATS:
            raise DataError(f"{file}: a log is {' or '.join(_FORMATS)}, not {file.suffix or 'a file without ending'}")
    if not found:
        raise DataError("no data: name files, folders or globs with --data, RANKER_DATA or data.paths in the config")
    return found


class _Part:
    """One file, or a DataFrame."""

    name: str
    rows: int = 0

    def columns(self) -> list[str]:
        """Names of all columns."""
        raise NotImplementedError

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        raise NotImplementedError

    def fingerprint(self) -> Any:
        raise NotImplementedError

    def _check_columns(self, columns: Sequence[str]) -> None:
        known = self.columns()
        for column in columns:
            if column not in known:
                hint = nearest(column, list(known))
                listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
                raise DataError(
                    f"{self.name} has no column {column!r}{'; ' + hint if hint else ''} (columns: {listed})"
                )
            if known.count(column) > 1:
                raise DataError(f"{self.name} has the column {column!r} more than once; which one is meant?")


class _File(_Part):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def fingerprint(self) -> Any:
        status = self.path.stat()
        return [str(self.path.resolve()), status.st_size, status.st_mtime_ns]

    @contextmanager
    def _naming_file(self, kind: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise DataError(f"{self.name}: is not a whole {kind} file, or is damaged: {first}") from None


class _Parquet(_File):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with self._naming_file("Parquet"), pq.ParquetFile(path) as file:
            self.rows = file.metadata.num_rows
            self._columns = list(file.schema_arrow.names)

    def columns(self) -> list[str]:
        return self._columns

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self._check_columns(columns)
        with self._naming_file("Parquet"), pq.ParquetFile(self.path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=CHUNK, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))


class _Csv(_File):
    def columns(self) -> list[str]:
        with self._naming_file("CSV"), pyarrow.csv.open_csv(self.path) as reader:
            return list(reader.schema.names)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self._check_columns(columns)
        with self._naming_file("CSV"):
            options = pyarrow.csv.ConvertOptions(include_columns=list(columns))
            read = pyarrow.csv.ReadOptions(block_size=8 << 20)
            with pyarrow.csv.open_csv(self.path, convert_options=options, read_options=read) as reader:
                for batch in reader:
                    for start in range(0, batch.num_rows, CHUNK):
                        yield batch.slice(start, CHUNK)


class _Frame(_Part):
    name = "DataFrame"

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.rows = len(frame)

    def columns(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self._check_columns(columns)
        for start in range(0, len(self.frame), CHUNK):
            part = self.frame[list(columns)].iloc[start : start + CHUNK]
            try:
                table = pa.Table.from_pandas(part, preserve_index=False)
            except (pa.ArrowException, TypeError) as error:
                raise DataError(f"{self.name}: {error}") from None
            yield from table.combine_chunks().to_batches()

    def fingerprint(self) -> Any:
        return [self.name, int(pd.util.hash_pandas_object(self.frame.astype(str)).sum() & 0x7FFFFFFFFFFFFFFF)]


_FORMATS = {".parquet": _Parquet, ".csv": _Csv}


def _converted(array: Any, name: str, source: str, first: int) -> Column:
    """A column of the encoding. Raises ``DataError`` for a type and for values that no feature or label can have."""
    try:
        return to_column(array, name, distinct=True)
    except ColumnTypeError as error:
        raise DataError(f"{source}: {error}") from None
    except ColumnError as error:
        raise DataError(_told(source, first, error)) from None


def _told(source: str, first: int, error: ColumnError) -> str:
    """Name the file, the row counted in the file, the column and the value."""
    shown = f"{shortened(error.value)} is not {error.expected}"
    return f"{source}, row {first + error.row}, column {error.column!r}: {shown}"
