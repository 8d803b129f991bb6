"""A log handler that never waits: a thread of its own writes the lines, and those that find no room are dropped.

Standard error is often a pipe. When whoever reads it stops, a write blocks, and in the event loop that would stop all
requests and probes.
"""

import logging
import os
import threading
import time
from collections import deque
from typing import Any

MOST_BYTES = 4 * 2**20
"""Bytes of lines that wait to be written."""
LAST = 2.0
"""Seconds that the end of a process waits for its last lines."""
STDERR = 2


class QueuedHandler(logging.Handler):
    """Formats a line where it is logged, and leaves writing it to a thread, in order."""

    def __init__(self, descriptor: int = STDERR, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self._descriptor, self._most = descriptor, most_bytes
        self._lines: deque[bytes] = deque()
        self._there = threading.Event()
        self._taken = self._written = 0
        """Bytes since the beginning; each has one writer: who logs (under the handler's lock), and the thread."""
        self.dropped = 0
        """Lines that there was no room for."""
        self._told = 0
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line, or drop it."""
        try:
            line = self.format(record).encode(errors="backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        if self._taken - self._written + len(line) > self._most:
            self.dropped += 1
            return
        self._taken += len(line)
        self._lines.append(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="log", daemon=True)
            self._thread.start()
        self._there.set()

    def flush(self) -> None:
        """Wait for the lines that were taken, but not for ever."""
        until = time.monotonic() + LAST
        while self._written < self._taken and time.monotonic() < until:
            time.sleep(0.001)

    def _write(self) -> None:
        while True:
            self._there.wait()
            self._there.clear()
            while self._lines:
                line = self._lines.popleft()
                if not self._put(line):
                    self.dropped += 1
                self._written += len(line)
                self._tell()

    def _tell(self) -> None:
        """Say how many lines are missing, as soon as lines are written again."""
        dropped = self.dropped
        if dropped > self._told and not self._lines:
            fields: dict[str, Any] = {"lines": dropped - self._told}
            event = "log lines dropped"
            record = logging.makeLogRecord(
                {"name": "ranker.serving", "levelno": logging.WARNING, "levelname": "WARNING", "msg": event}
            )
            record.fields = fields
            if self._put(self.format(record).encode() + b"\n"):
                self._told = dropped

    def _put(self, line: bytes) -> bool:
        """Write a line; return whether that was possible."""
        try:
            while line:  # one line a write, so that lines of several processes stay whole
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            return False
        return True


def dropped_lines() -> int:
    """Lines that this process has dropped."""
    handlers = logging.getLogger("ranker").handlers
    return sum(handler.dropped for handler in handlers if isinstance(handler, QueuedHandler))
