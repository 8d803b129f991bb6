"""A log handler that never blocks: a separate thread writes the lines, and lines beyond the queue's limit are dropped.

Standard error is often a pipe. When its reader stops, a write blocks, and in the event loop that would stop all
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
"""Most bytes in the queue."""
LAST = 2.0
"""Seconds that an ending process waits for its last lines."""
STDERR = 2
PAUSE = 0.02
"""Seconds between writes, to batch lines: each run of the thread takes the GIL from requests."""
WHOLE = select.PIPE_BUF
"""Most bytes per write; up to this size a write to a pipe is atomic."""


class QueuedHandler(logging.Handler):
    """Formats a line in the logging thread and queues it for the writing thread."""

    def __init__(self, descriptor: int = STDERR, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self._descriptor, self._most = descriptor, most_bytes
        self._lines: deque[bytes] = deque()
        self._pending = threading.Event()
        self._queued = self._written = 0
        """Total bytes; the first changes under the handler's lock, the second only in the writing thread."""
        self.dropped = 0
        """Lines dropped because the queue was full or the write failed."""
        self._reported = 0
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line, or drop it."""
        try:
            line = self.format(record).encode(errors="backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        if self._queued - self._written + len(line) > self._most:
            self.dropped += 1
            return
        self._queued += len(line)
        self._lines.append(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="log", daemon=True)
            self._thread.start()
        if not self._pending.is_set():
            self._pending.set()

    def flush(self) -> None:
        """Wait until the queued lines are written, for at most ``LAST`` seconds."""
        until = time.monotonic() + LAST
        while self._written < self._queued and time.monotonic() < until:
            time.sleep(0.001)

    def _write(self) -> None:
        while True:
            self._pending.wait()
            self._pending.clear()
            while self._lines:
                lines = self._next()
                text = b"".join(lines)
                if not self._write_all(text):
                    self.dropped += len(lines)
                self._written += len(text)
                self._report_dropped()
            time.sleep(PAUSE)

    def _next(self) -> list[bytes]:
        """Take the first line and the following ones that fit into the same write."""
        lines = [self._lines.popleft()]
        size = len(lines[0])
        while self._lines and (size := size + len(self._lines[0])) <= WHOLE:
            lines.append(self._lines.popleft())
        return lines

    def _report_dropped(self) -> None:
        """Log how many lines were dropped, once lines are written again."""
        dropped = self.dropped
        if dropped > self._reported and not self._lines:
            fields: dict[str, Any] = {"lines": dropped - self._reported}
            event = "log lines dropped"
            record = logging.makeLogRecord(
                {"name": "ranker.serving", "levelno": logging.WARNING, "levelname": "WARNING", "msg": event}
            )
            record.fields = fields
            if self._write_all(self.format(record).encode() + b"\n"):
                self._reported = dropped

    def _write_all(self, text: bytes) -> bool:
        """Write lines; return whether it succeeded."""
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except OSError:
            return False
        return True


def dropped_lines() -> int:
    """Number of log lines that this process has dropped."""
    handlers = logging.getLogger("ranker").handlers
    return sum(handler.dropped for handler in handlers if isinstance(handler, QueuedHandler))
