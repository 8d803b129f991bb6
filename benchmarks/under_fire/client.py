"""A cheap client: prepared bytes over persistent connections, at a fixed rate or as fast as answers arrive."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BROKEN, HUNG = 0, -1
"""Statuses for a broken connection, and for no answer within ``PATIENCE`` seconds."""
PATIENCE = 30.0


@dataclass
class Answers:
    """One entry per request: when it was due, sent and answered (seconds), and its status; and the answers' bodies."""

    status: list[int] = field(default_factory=list)
    due: list[float] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    rankings: Counter[bytes] = field(default_factory=Counter)

    def of(self, status: int) -> NDArray[np.float64]:
        """Milliseconds of the answers with a status, from when each request was due."""
        return self._where(status, _array(self.ended) - _array(self.due))

    def since_sent(self, status: int) -> NDArray[np.float64]:
        """Milliseconds of the answers with a status, from when each request was sent."""
        return self._where(status, _array(self.ended) - _array(self.sent))

    def lateness(self) -> NDArray[np.float64]:
        """Milliseconds by which the client was late in sending."""
        return (_array(self.sent) - _array(self.due)) * 1e3

    def counts(self) -> dict[int, int]:
        """Number of answers by status."""
        return {status: self.status.count(status) for status in sorted(set(self.status))}

    def _where(self, status: int, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        chosen: NDArray[np.bool_] = np.array(self.status) == status
        return seconds[chosen] * 1e3


def _array(seconds: Sequence[float]) -> NDArray[np.float64]:
    return np.array(seconds, dtype=np.float64)


class Client:
    """A pool of connections to one service."""

    def __init__(self, port: int, body: bytes, keep: bool = False) -> None:
        head = (
            f"POST /rank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        )
        self._port, self._message, self._keep = port, head.encode() + b"\r\n\r\n" + body, keep
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        self.answers = Answers()
        self.open = 0

    async def ask(self, due: float | None = None) -> int:
        """Send one request; return its status."""
        sent, status = time.monotonic(), BROKEN
        self.open += 1
        try:
            async with asyncio.timeout(PATIENCE):
                status = await self._answered()
        except TimeoutError:
            status = HUNG
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.01)
        self.open -= 1
        self.answers.status.append(status)
        self.answers.due.append(sent if due is None else due)
        self.answers.sent.append(sent)
        self.answers.ended.append(time.monotonic())
        return status

    async def _answered(self) -> int:
        reader, writer = await self._connection()
        whole = False
        try:
            writer.write(self._message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            content = await reader.readexactly(length)
            whole = b"connection: close" not in head
        finally:
            if whole:
                self._idle.append((reader, writer, time.monotonic()))
            else:
                writer.close()
        status = int(head[9:12])
        if self._keep and status == 200:
            self.answers.rankings[content] += 1
        return status

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a free connection, or a new one; the server closes those idle for five seconds."""
        while self._idle:
            reader, writer, since = self._idle.pop()
            if time.monotonic() - since < 2 and not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def closed(self, clients: int, seconds: float, stop: asyncio.Event | None = None) -> Answers:
        """Run a number of clients, each sending again once it is answered, for a time or until ``stop`` is set."""
        end = time.monotonic() + seconds

        async def one() -> None:
            while time.monotonic() < end if stop is None else not stop.is_set():
                await self.ask()

        await asyncio.gather(*(one() for _ in range(clients)))
        return self.answers

    async def offered(self, rate: float, seconds: float, stop: asyncio.Event | None = None) -> Answers:
        """Send at a fixed rate, independently of the answers, for a time or until ``stop`` is set."""
        begun, number, tasks = time.monotonic(), 0, set()
        while (now := time.monotonic() - begun) < seconds and not (stop and stop.is_set()):
            while number < now * rate:
                task = asyncio.create_task(self.ask(begun + number / rate))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                number += 1
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
        return self.answers
