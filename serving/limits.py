"""What the service takes on: so many requests at once, so many bytes each, and none after its deadline."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.requests import Request

TIMEOUT_HEADER = "X-Request-Timeout-Ms"
LONGEST_MS = 600_000
RETRY_AFTER = "1"


class Refusal(Exception):  # noqa: N818 - an answer rather than a mistake
    """An answer other than a ranking: status, the outcome that is counted, and what to tell the client."""

    def __init__(
        self, status: int, outcome: str, field: str, reason: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.outcome, self.field, self.reason = status, outcome, field, reason
        self.headers = headers


class Admission:
    """Counts the requests a worker holds; used from the event loop alone, so it needs no lock."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.held = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold one request. Raises ``Refusal`` (503) at once where the limit is reached: nobody queues."""
        if self.held >= self._limit:
            reason = f"the service holds {self._limit} requests already; try again in {RETRY_AFTER} s"
            raise Refusal(503, "overloaded", "service", reason, {"Retry-After": RETRY_AFTER})
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


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


async def read_body(request: Request, limit: int, seconds: float, deadline: float | None) -> bytes:
    """Read a body of at most ``limit`` bytes in at most ``seconds``.

    Raises ``Refusal``: 413 where it is larger, whether or not it says so beforehand, 408 where it is slower, 504
    where the deadline passes first.
    """
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said) > limit:
        raise too_large(limit)
    until = time.monotonic() + seconds
    late = deadline is not None and deadline < until
    left = (min(until, deadline) if deadline is not None else until) - time.monotonic()
    parts, size = [], 0
    try:
        async with asyncio.timeout(left):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                parts.append(part)
    except TimeoutError:
        if late:
            raise too_late() from None
        reason = f"has not come within {seconds:g} s"
        raise Refusal(408, "slow_body", "body", reason, {"Connection": "close"}) from None
    return b"".join(parts)


def too_large(limit: int, when: str = "") -> Refusal:
    """What a body gets that has more than ``limit`` bytes (413). ``when``: "unpacked", of a compressed one."""
    # The connection stays open and the rest is thrown away as it comes: closing it would lose the answer on its way.
    return Refusal(413, "too_large", "body", f"may have at most {limit} bytes{when and ' ' + when}")
