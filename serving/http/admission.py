"""What the service takes on: so many requests at once, and none after its deadline."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers

from serving.protocol.errors import Refusal

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
LONGEST_MS = 600_000
RETRY_AFTER = "1"


class Admission:
    """Counts the requests a worker holds; used from the event loop alone, so it needs no lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one request. Raises ``Refusal`` (503) at once where the limit is reached: nobody queues."""
        self.require_place()
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1

    def require_place(self) -> None:
        """Raise ``Refusal`` (503) where the limit is reached."""
        if self.held >= self._limit:
            reason = f"the service holds {self._limit} requests already; try again in {RETRY_AFTER} s"
            raise Refusal(503, "overloaded", "service", reason, {"Retry-After": RETRY_AFTER})


def deadline_of(headers: Headers) -> float | None:
    """Time of ``time.monotonic`` after which no work is done. Raises ``Refusal`` (422) for what is no number."""
    text = headers.get(TIMEOUT_HEADER)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= LONGEST_MS):
        reason = f"must be a whole number of milliseconds from 1 to {LONGEST_MS}, got {text[:40]!r}"
        raise Refusal(422, "invalid", f"header {TIMEOUT_HEADER}", reason)
    return time.monotonic() + int(text) / 1e3


def too_late() -> Refusal:
    """What a request gets whose deadline passed (504)."""
    return Refusal(504, "deadline", "service", f"the deadline of {TIMEOUT_HEADER} passed before the ranking was made")


def too_large(limit: int, when: str = "") -> Refusal:
    """What a body gets that has more than ``limit`` bytes (413). ``when``: "unpacked", of a compressed one."""
    # The connection stays open and the rest is thrown away as it comes: closing it would lose the answer on its way.
    return Refusal(413, "too_large", "body", f"may have at most {limit} bytes{when and ' ' + when}")
