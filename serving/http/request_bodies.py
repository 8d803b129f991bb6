"""Bodies of requests, as they come: each within its own bounds, and all of a worker's together within theirs."""

import asyncio
import time

from starlette.requests import Request

from serving.http.admission import too_large, too_late
from serving.protocol.errors import Refusal

GIVEN_UP = "is the slowest of too many that come at once; try again"


class Bodies:
    """Bodies that a worker receives now, the one that began first in front."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._coming: dict[_Body, None] = {}
        self._bytes = 0

    def count(self) -> int:
        """How many bodies are being received."""
        return len(self._coming)

    async def read(self, request: Request, limit: int, seconds: float, deadline: float | None = None) -> bytes:
        """Read a body of at most ``limit`` bytes in at most ``seconds``.

        Where bodies are too many, or hold too many bytes together, the one that began first is given up: a client that
        sends its body at once is never the one.

        Raises ``Refusal``: 413 where the body is larger, whether or not it says so beforehand, 408 where it is slower
        or given up, 504 where the deadline passes first.
        """
        said = request.headers.get("content-length", "0")
        if said.isdigit() and int(said) > limit:
            raise too_large(limit)
        until = time.monotonic() + seconds
        late = deadline is not None and deadline < until
        left = (min(until, deadline) if deadline is not None else until) - time.monotonic()
        if len(self._coming) >= self._most:
            self._give_up(next(iter(self._coming)))
        body = _Body()
        self._coming[body] = None
        try:
            async with asyncio.timeout(left) as body.timeout:
                async for part in request.stream():
                    if body.given_up:
                        raise _slow(GIVEN_UP)
                    self._bytes += len(part)
                    if body.add(part) > limit:
                        raise too_large(limit)
                    while self._bytes > self._most_bytes:
                        self._give_up(next(iter(self._coming)))
        except TimeoutError:
            if body.given_up:
                raise _slow(GIVEN_UP) from None
            if late:
                raise too_late() from None
            raise _slow(f"has not come within {seconds:g} s") from None
        finally:
            self._forget(body)
        if body.given_up:  # it became whole in the same moment
            raise _slow(GIVEN_UP)
        return bytes(body.data)

    def _give_up(self, body: "_Body") -> None:
        self._forget(body)
        body.given_up, body.data = True, b""
        if body.timeout is not None and not body.timeout.expired():
            body.timeout.reschedule(asyncio.get_running_loop().time())

    def _forget(self, body: "_Body") -> None:
        if body in self._coming:
            del self._coming[body]
            self._bytes -= len(body.data)


class _Body:
    """What came of one body so far."""

    def __init__(self) -> None:
        self.data: bytes | bytearray = b""
        self.timeout: asyncio.Timeout | None = None
        self.given_up = False

    def add(self, part: bytes) -> int:
        """Put a part behind the others; return the size of all. Most bodies come in one."""
        if not self.data:
            self.data = part
        elif part:
            if isinstance(self.data, bytes):
                self.data = bytearray(self.data)
            self.data += part
        return len(self.data)


def _slow(reason: str) -> Refusal:
    return Refusal(408, "slow_body", "body", reason, {"Connection": "close"})
