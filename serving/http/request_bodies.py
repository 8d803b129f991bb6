"""Receives request bodies: limits each in size and time, and a worker's bodies in number and total size."""

import asyncio
import time

from starlette.requests import Request

from serving.http.admission import too_large, too_late
from serving.protocol.errors import Refusal

GIVEN_UP = "was the slowest of too many bodies being received at once; try again"


class Bodies:
    """The bodies that a worker is receiving, oldest first."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._coming: dict[_Body, None] = {}
        self._bytes = 0

    def count(self) -> int:
        """How many bodies are being received."""
        return len(self._coming)

    async def read(self, request: Request, limit: int, seconds: float, deadline: float | None = None) -> bytes:
        """Read a body of at most ``limit`` bytes in at most ``seconds``.

        If there are too many bodies, or too many bytes in total, the body that started first is dropped, so a client
        that sends its body at once is not affected.

        Raises ``Refusal``: 413 if the body is larger (declared or not), 408 if it is slower or dropped, and 504 if the
        deadline passes first.
        """
        declared = request.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
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
            raise _slow(f"was not received within {seconds:g} s") from None
        finally:
            self._forget(body)
        if body.given_up:  # dropped just as it became complete
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
    """The part of one body received so far."""

    def __init__(self) -> None:
        self.data: bytes | bytearray = b""
        self.timeout: asyncio.Timeout | None = None
        self.given_up = False

    def add(self, part: bytes) -> int:
        """Append a part and return the total size. Most bodies come in one part, which is not copied."""
        if not self.data:
            self.data = part
        elif part:
            if isinstance(self.data, bytes):
                self.data = bytearray(self.data)
            self.data += part
        return len(self.data)


def _slow(reason: str) -> Refusal:
    return Refusal(408, "slow_body", "body", reason, {"Connection": "close"})
