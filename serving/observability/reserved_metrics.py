"""Prometheus metric files with reserved disk space, so that a full disk cannot kill the worker that writes them.

The client maps sparse files: writing a page on a full disk kills the process with SIGBUS. Here each file's space is
reserved before it is mapped. Values without room are kept in memory and move into the file once there is space; until
then ``/metrics`` does not show them.
"""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from serving.logs import event

SIZE = 1 << 16
"""Bytes of a new file."""
RETRY = 1.0
"""Seconds between attempts to reserve space on a full disk."""


class ReservedDict(MmapedDict):
    """A file of values by key that writes only to reserved space."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._path = Path(filename)
        self._waiting: dict[str, tuple[float, float]] = {}
        self._retry_at = 0.0
        self._f = None  # type: ignore[assignment] # as after the client's close()
        if read_mode or self._created():
            super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def read_value(self, key: str) -> tuple[float, float]:
        """Value and time of a key, zeros for a new one."""
        if not self._stored(key):
            return self._waiting.setdefault(key, (0.0, 0.0))
        return super().read_value(key)  # type: ignore[no-any-return, no-untyped-call]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Set a key's value, in memory while the file has no room for it."""
        if self._stored(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._waiting[key] = (value, timestamp)

    def _stored(self, key: str) -> bool:
        """Whether the key is in the file; it is added now if there is room."""
        if self._f is not None and key in self._positions:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        if not self._has_room(key):
            self._retry_at = now + RETRY
            return False
        self._retry_at = 0.0
        if (waiting := self._waiting.pop(key, None)) is not None:
            super().write_value(key, *waiting)  # type: ignore[no-untyped-call]
        return True

    def _has_room(self, key: str) -> bool:
        if self._f is None:
            if not self._created():
                return False
            super().__init__(str(self._path))
        needed = self._used + len(key.encode()) + 32  # a length, padding, value and time
        if needed <= self._capacity:
            return True
        size = self._capacity
        while size < needed:  # the client also doubles its files
            size *= 2
        return self._reserved(self._f.fileno(), size)

    def _created(self) -> bool:
        """Create the file with its space if needed, under another name first, so that no reader sees half of it."""
        if self._path.exists() and self._path.stat().st_size:
            return True
        partial = self._path.with_suffix(".new")
        try:
            with partial.open("wb") as file:
                made = self._reserved(file.fileno(), SIZE)
            if made:
                os.replace(partial, self._path)
        except OSError as error:
            self._log_once(error)
            made = False
        if not made:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return made

    def _reserved(self, descriptor: int, size: int) -> bool:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            self._log_once(error)
            return False
        return True

    def _log_once(self, error: OSError) -> None:
        global _logged
        if not _logged:
            _logged = True
            event(logging.ERROR, "metrics kept in memory", file=str(self._path), reason=str(error))


_logged = False


def install() -> None:
    """Make the client use :class:`ReservedDict` for every metric created from now on."""
    setattr(values, "MmapedDict", ReservedDict)  # noqa: B010 - the client has no other hook
