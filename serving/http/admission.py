"""Admission control: a limit on concurrent requests, and request deadlines."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers

from serving.protocol.errors import Refusal

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
LONGEST_MS = 600_000
RETRY_AFTER = "1"


class Admission:
    """Counts the requests a worker holds; used only from the event loop, so it needs no lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one request. Raises ``Refusal`` (503) immediately if the limit is reached; nothing queues."""
        self.require_place()
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def require_place(self) -> None:
        """Raise ``Refusal`` (503) if the limit is reached."""
        if self.held >= self._limit:
            reason = f"the service already holds {self._limit} requests; try again in {RETRY_AFTER} s"
            raise Refusal(503, "overloaded", "service", reason, {"Retry-After": RETRY_AFTER})


def deadline_of(headers: Headers) -> float | None:
    """The request's deadline on ``time.monotonic``'s clock, or ``None``. Raises ``Refusal`` (422) for a bad header."""
    text = headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LONGEST_MS):
        reason = f"must be a whole number of milliseconds from 1 to {LONGEST_MS}, got {text[:40]!r}"
        raise Refusal(422, "invalid", f"header {TIMEOUT_HEADER}", reason)
    return time.monotonic() + int(text) / 1e3


def too_late() -> Refusal:
    """The refusal (504) of a request whose deadline has passed."""
    return Refusal(504, "deadline", "service", f"the deadline set by {TIMEOUT_HEADER} passed before the ranking")


def too_large(limit: int, when: str = "") -> Refusal:
    """The refusal (413) of a body of more than ``limit`` bytes; ``when`` is "unpacked" for a compressed one."""
    # The connection stays open and the rest of the body is discarded: closing it could lose the response.
    return Refusal(413, "too_large", "body", f"may have at most {limit} bytes{when and ' ' + when}")
