"""A log handler that never waits: a thread of its own writes the lines, and those that find no room are dropped.

Standard error is often a pipe. When whoever reads it stops, a write blocks, and in the event loop that would stop all
requests and probes.
"""

import logging
import os
import select
import threading
import time
from collections import deque
from typing import Any

MOST_BYTES = 4 * 2**20
"""Bytes of lines that wait to be written."""
LAST = 2.0
"""Seconds that the end of a process waits for its last lines."""
STDERR = 2
PAUSE = 0.02
"""Seconds between writes, in which lines gather: the thread takes the interpreter from requests each time it runs."""
WHOLE = select.PIPE_BUF
"""Bytes of lines in one write; no other process' lines come between them."""


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
        if not self._there.is_set():
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
                lines = self._next()
                text = b"".join(lines)
                if not self._put(text):
                    self.dropped += len(lines)
                self._written += len(text)
                self._tell()
            time.sleep(PAUSE)

    def _next(self) -> list[bytes]:
        """Take the first line, and those behind it that fit into the same write."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and (size := size + len(self._lines[0])) <= WHOLE:
            lines.append(self._lines.popleft())
        return lines

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

    def _put(self, text: bytes) -> bool:
        """Write lines; return whether that was possible."""
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except OSError:
            return False
        return True


def dropped_lines() -> int:
    """Lines that this process has dropped."""
    handlers = logging.getLogger("ranker").handlers
    return sum(handler.dropped for handler in handlers if isinstance(handler, QueuedHandler))
