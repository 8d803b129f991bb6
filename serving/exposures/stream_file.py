"""A stream of record batches in the log's folder, locked while its process lives."""

import os
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from ranker.exposures.files import OPEN, new_name
from ranker.file_locks import is_still, lock

_numbers = count()
"""Of the files of this process."""


class StreamFile:
    """An open file to which whole batches are appended: each write is all there or not at all."""

    def __init__(self, directory: Path, model: str, schema: Any, begun: datetime) -> None:
        """Create a file with a name of its own. Raises ``OSError``."""
        folder = directory / OPEN
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self._descriptor = _created(folder, model, begun)
        self.day = begun.date()
        self.size = self.rows = 0
        self._pending = _Pending()
        self._writer = pa.ipc.new_stream(self._pending, schema)

    def write(self, batch: Any) -> int:
        """Append a batch; return the bytes written. Raises ``OSError``: the file then has the batches before it."""
        self._writer.write_batch(batch)
        written = self._append()
        self.rows += batch.num_rows
        return written

    @property
    def removed(self) -> bool:
        """Whether somebody has removed the file, so that what is appended is lost."""
        return not is_still(self.path, self._descriptor)

    def end(self) -> None:
        """Mark the end of the stream, if there is room: readers do without."""
        self._writer.close()
        with suppress(OSError):
            self._append()

    def close(self) -> None:
        """Close the file, and with it the lock."""
        os.close(self._descriptor)

    def _append(self) -> int:
        content = memoryview(self._pending.taken())
        written = 0
        try:
            while written < len(content):
                written += os.write(self._descriptor, content[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += written
        return written


class _Pending:
    """What the Arrow writer wrote and the file does not have yet; as a file object, it never fails."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._position = 0

    def write(self, part: Any) -> int:
        size = memoryview(part).nbytes
        self._parts.append(part)
        self._position += size
        return size

    def tell(self) -> int:
        return self._position

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def close(self) -> None:
        """Nothing to close."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _created(folder: Path, model: str, begun: datetime) -> tuple[Path, int]:
    while True:
        path = folder / f"{new_name(model, begun, next(_numbers))}.arrow"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            continue
        with suppress(OSError):  # a file system without locks
            lock(descriptor)
        if is_still(path, descriptor):  # else another process took it for one of a killed process before it was locked
            return path, descriptor
        os.close(descriptor)
