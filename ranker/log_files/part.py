"""A file of a log."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import pyarrow as pa

from ranker.config.csv_options import CsvOptions
from ranker.log_files.csv_facts import Facts
from ranker.log_files.csv_types import Resolved
from ranker.log_files.errors import DataError
from ranker.log_files.hive import hive_columns
from ranker.registry import Registry, suggestion
from ranker.remote_files import Location, RemoteFile, identity, reason

Batch: TypeAlias = tuple[int, Mapping[str, Any]]
"""Number of rows N, and Arrow arrays [N] by column."""


class FilePart:
    """A file of a log, which must not change while the log is read.

    A format's class sets its name in ``kind`` and its ``endings``, in lower case with dots.
    """

    kind: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]
    compressed: ClassVar[bool] = False
    """Whether a compression ending such as ``.gz`` may follow."""

    rows: int = 0
    """Number of rows; 0 if it is unknown."""

    def __init__(self, path: Location, csv: CsvOptions | None = None) -> None:
        """Open a file; ``csv`` is the format of text files. Raises ``DataError``."""
        del csv
        self.path = path
        self.name = str(path)
        self.folders = hive_columns(path)
        with self.naming_file():
            self._status = self._now()

    def own_columns(self) -> list[str]:
        """Names of the columns stored in the file itself."""
        raise NotImplementedError

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns stored in the file itself."""
        raise NotImplementedError

    def cuts(self) -> list[int]:
        """First rows of the ranges of rows that :meth:`batches_from` can read apart, ascending from 0."""
        return [0]

    def batches_from(self, columns: Sequence[str], start: int) -> Iterator[Batch]:
        """The batches of :meth:`batches` from one of the :meth:`cuts` up to the next one."""
        del start
        return self.batches(columns)

    def columns(self) -> list[str]:
        """Names of all columns, the path's last; the part's own columns hide the path's."""
        own = self.own_columns()
        return [*own, *(name for name in self.folders if name not in own)]

    def in_path(self, column: str) -> bool:
        """Whether a column comes from the path."""
        return column in self.folders and column not in self.own_columns()

    def check(self, columns: Sequence[str], others: Iterable["FilePart"] = ()) -> None:
        """Raise ``DataError`` for a missing or duplicate column; names one of ``others`` whose path has it."""
        known = self.columns()
        for column in columns:
            if column not in known:
                listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
                raise DataError(
                    f"{self.name} has no column {column!r}{suggestion(column, known)} (columns: {listed})"
                    + next(
                        (f"; {part.name} has it from a folder of its path" for part in others if part.in_path(column)),
                        "",
                    )
                    + self.hint()
                )
            if known.count(column) > 1:
                raise DataError(f"{self.name} has the column {column!r} more than once; which one is meant?")

    def hint(self) -> str:
        """Hint for a missing column."""
        return ""

    def holds_text(self, column: str) -> bool:
        """Whether the column's values are text that the log's schema gives a type."""
        return self.in_path(column)

    def type_of(self, column: str) -> pa.DataType | None:
        """The Arrow type of the column; ``None`` if unknown or if its values are text to be typed."""
        del column
        return None

    def typed(self, array: Any, column: str, kind: Resolved) -> Any:
        """Convert values [N] to the kind from :func:`~ranker.log_files.resolve.resolve`.

        Raises ``ColumnError``.
        """
        del column, kind
        return array

    def facts(self, columns: Sequence[str]) -> Mapping[str, Facts]:
        """Facts about all values of text columns, which decide their type."""
        del columns
        return {}

    def fingerprint(self) -> Any:
        """Name, size and modification time of the file."""
        return [identity(self.path), *self._status]

    def _now(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def check_unchanged(self) -> None:
        """Raise ``DataError`` if the file has changed since it was opened."""
        try:
            same = self._now() == self._status
        except OSError:
            raise DataError(f"{self.name}: is gone, though it was there when reading began") from None
        if not same:
            raise DataError(f"{self.name}: was changed while it was being read; start again when it is complete")

    @contextmanager
    def naming_file(self) -> Iterator[None]:
        """Turn errors of PyArrow and the system into a ``DataError`` that names the file."""
        try:
            yield
        except PermissionError as error:
            told = "permission denied" if isinstance(self.path, Path) else reason(error)
            raise DataError(f"{self.name}: may not be read: {told}") from None
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if hasattr(self, "_status"):
                self.check_unchanged()
            if isinstance(self.path, RemoteFile) and isinstance(error, OSError):
                raise DataError(f"{self.name}: cannot be read: {reason(error)}") from None
            raise DataError(f"{self.name}: {self.told(error)}") from None

    def told(self, error: Exception) -> str:
        """Describe what is wrong with the file."""
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return f"is not a complete {self.kind} file, or is damaged: {first}"


FILE_FORMATS: Registry[type[FilePart]] = Registry("file format")
"""File formats of logs, looked up by name ending."""
COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Endings of compressed text files, and PyArrow's names of the compressions."""


def format_by_name(path: Location) -> type[FilePart] | None:
    """The format of a file by its name, if known."""
    name = path.name.lower()
    for part in FILE_FORMATS.values():
        if os.path.splitext(without_compression(name) if part.compressed else name)[1] in part.endings:
            return part
    return None


def without_compression(name: str) -> str:
    """A lower-case name without compression endings."""
    for ending in COMPRESSION:
        name = name.removesuffix(ending)
    return name


def known_endings() -> str:
    """The endings of all formats, as text."""
    *most, last = [ending for part in FILE_FORMATS.values() for ending in part.endings]
    compressed = [
        f"{part.kind} may be compressed, as {', '.join(part.endings[0] + ending for ending in COMPRESSION)}"
        for part in FILE_FORMATS.values()
        if part.compressed
    ]
    return "; ".join([f"{', '.join(most)} or {last}", *compressed])
