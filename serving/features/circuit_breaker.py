"""A circuit breaker for a store that may be down."""

import logging
import threading
import time

from serving.logs import event

FAILURES = 5
"""Look-ups that must fail in a row before the circuit opens."""
PAUSE = 1.0
"""Seconds the circuit stays open; after them one request tries, and the others go on without the store."""


class CircuitBreaker:
    """Stops look-ups for a while after several failures in a row, so that a dead store costs requests no time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = 0
        self._until = 0.0

    def closed(self) -> bool:
        """Whether to try now. After a pause, one caller gets true and the next pause begins."""
        if self._failed < FAILURES:
            return True
        with self._lock:
            if time.monotonic() < self._until:
                return False
            self._until = time.monotonic() + PAUSE
            return True

    def record(self, failed: bool) -> None:
        """Record the result of a look-up."""
        if not failed and not self._failed:
            return
        with self._lock:
            before, self._failed = self._failed, self._failed + 1 if failed else 0
            if self._failed == FAILURES:
                self._until = time.monotonic() + PAUSE
                event(logging.WARNING, "users are not looked up", failures=FAILURES, seconds=PAUSE)
            elif not failed and before >= FAILURES:
                event(logging.INFO, "users are looked up again")
