"""One part of a log: a file, or a DataFrame."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from ranker.registry import nearest
from training.data.errors import DataError
from training.data.files.hive import hive_columns

Batch: TypeAlias = tuple[int, Mapping[str, Any]]
"""A number of rows N, and Arrow arrays [N] by column."""


class Part:
    """What a log streams from; ``rows`` is 0 where their number is unknown."""

    name: str
    rows: int = 0
    folders: Mapping[str, str | None] = {}
    """Columns that the path gives, one value for all rows."""

    def own_columns(self) -> list[str]:
        """Names of all columns that the part itself holds."""
        raise NotImplementedError

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns that the part itself holds."""
        raise NotImplementedError

    def fingerprint(self) -> Any:
        """What tells this part from another."""
        raise NotImplementedError

    def columns(self) -> list[str]:
        """Names of all columns, those of the path last. A column that the file holds itself hides one of the path."""
        own = self.own_columns()
        return [*own, *(name for name in self.folders if name not in own)]

    def in_path(self, column: str) -> bool:
        """Whether it is the path that gives a column."""
        return column in self.folders and column not in self.own_columns()

    def check(self, columns: Sequence[str], others: Iterable["Part"] = ()) -> None:
        """Raise ``DataError`` for a column that is not there, though by its path one of ``others`` has it, or twice."""
        known = self.columns()
        for column in columns:
            if column not in known:
                hint = nearest(column, list(known))
                listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
                raise DataError(
                    f"{self.name} has no column {column!r}{'; ' + hint if hint else ''} (columns: {listed})"
                    + next(
                        (f"; {part.name} has it by a folder of its path" for part in others if part.in_path(column)), ""
                    )
                    + self.hint()
                )
            if known.count(column) > 1:
                raise DataError(f"{self.name} has the column {column!r} more than once; which one is meant?")

    def hint(self) -> str:
        """What else to say where a column is missing."""
        return ""


class FilePart(Part):
    """A file, which must stay as it is while the log is read."""

    kind: str

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)
        self.folders = hive_columns(path)
        with self.naming_file():
            self._status = self._now()

    def fingerprint(self) -> Any:
        """Name, size and time of the file."""
        return [os.path.realpath(self.path), *self._status]

    def _now(self) -> tuple[int, int]:
        status = self.path.stat()
        return status.st_size, status.st_mtime_ns

    def check_unchanged(self) -> None:
        """Raise ``DataError`` if the file is another one than at the start."""
        try:
            same = self._now() == self._status
        except OSError:
            raise DataError(f"{self.name}: is gone, though it was there when reading began") from None
        if not same:
            raise DataError(f"{self.name}: was changed while it was being read; start again when it is complete")

    @contextmanager
    def naming_file(self) -> Iterator[None]:
        """Turn what PyArrow and the system say into one line that names the file."""
        try:
            yield
        except PermissionError:
            raise DataError(f"{self.name}: may not be read: permission denied") from None
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if hasattr(self, "_status"):
                self.check_unchanged()
            raise DataError(f"{self.name}: {self.told(error)}") from None

    def told(self, error: Exception) -> str:
        """What is wrong with the file, in words."""
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return f"is not a whole {self.kind} file, or is damaged: {first}"
