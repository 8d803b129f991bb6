"""Files of Prometheus' client whose space is reserved, so that a full disk cannot end the worker that writes them.

The client maps sparse files: a write to a page that the disk has no room for ends the process with SIGBUS. Here each
file's space is reserved before it is mapped. What finds no room is counted in memory, and moves into the file once
there is room again; until then ``/metrics`` does not show it.
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
"""Bytes of a new file, and by which one grows."""
RETRY = 1.0
"""Seconds between attempts to reserve space where there was none."""


class ReservedDict(MmapedDict):
    """A file of values by key that never writes where no space is reserved."""

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
        """Set a key's value; in memory as long as the file has no room for it."""
        if self._stored(key):
            super().write_value(key, value, timestamp)  # type: ignore[no-untyped-call]
        else:
            self._waiting[key] = (value, timestamp)

    def _stored(self, key: str) -> bool:
        """Whether the key has its place in the file, given one now if there is room."""
        if self._f is not None and key in self._positions:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        if not self._has_room(key):
            self._retry_at = now + RETRY
            return False
        self._retry_at = 0.0
        if (found := self._waiting.pop(key, None)) is not None:
            super().write_value(key, *found)  # type: ignore[no-untyped-call]
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
        while size < needed:  # the client doubles a file too
            size *= 2
        return self._reserved(self._f.fileno(), size)

    def _created(self) -> bool:
        """Make the file with its space, unless it is there; under another name at first, so that none reads it half."""
        if self._path.exists() and self._path.stat().st_size:
            return True
        partial = self._path.with_suffix(".new")
        try:
            with partial.open("wb") as file:
                made = self._reserved(file.fileno(), SIZE)
            if made:
                os.replace(partial, self._path)
        except OSError as error:
            self._tell(error)
            made = False
        if not made:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
        return made

    def _reserved(self, descriptor: int, size: int) -> bool:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: OSError) -> None:
        global _told
        if not _told:
            _told = True
            event(logging.ERROR, "metrics kept in memory", file=str(self._path), reason=str(error))


_told = False


def install() -> None:
    """Have the client keep its values so, in every metric that is made from now on."""
    setattr(values, "MmapedDict", ReservedDict)  # noqa: B010 - the client has no other way
