"""A client that costs little: prepared bytes over kept connections, at a rate of its own or as fast as answers come."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np
import orjson


@dataclass
class Answers:
    """What came back: status (0 for a broken connection) and seconds of each request, and answers' distinct parts."""

    status: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    rankings: dict[int, set[bytes]] = field(default_factory=dict)

    def of(self, status: int) -> np.ndarray:
        """Milliseconds of the answers with a status."""
        return np.array([s * 1e3 for s, got in zip(self.seconds, self.status, strict=True) if got == status])

    def counts(self) -> dict[int, int]:
        """Answers by status."""
        return {status: self.status.count(status) for status in sorted(set(self.status))}


class Client:
    """Connections to one service, taken up again when they are free."""

    def __init__(self, port: int, body: bytes, read: bool = False) -> None:
        head = f"POST /rank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._port, self._message, self._read = port, head.encode() + body, read
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = []
        self.answers = Answers()

    async def ask(self) -> int:
        """Send one request; return its status."""
        begun, status = time.monotonic(), 0
        try:
            reader, writer = await self._connection()
            writer.write(self._message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            content = await reader.readexactly(length)
            status = int(head[9:12])
            if b"connection: close" in head:
                writer.close()
            else:
                self._idle.append((reader, writer, time.monotonic()))
            if self._read and status == 200:
                ranking = orjson.loads(content)
                self.answers.rankings.setdefault(ranking["model_version"], set()).add(orjson.dumps(ranking["fused"]))
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.01)
        self.answers.status.append(status)
        self.answers.ended.append(time.monotonic())
        self.answers.seconds.append(self.answers.ended[-1] - begun)
        return status

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a free connection, or a new one; the server closes those that rest for five seconds."""
        while self._idle:
            reader, writer, since = self._idle.pop()
            if time.monotonic() - since < 2:
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def closed(self, clients: int, seconds: float) -> Answers:
        """So many clients, each asking again as soon as it is answered."""
        end = time.monotonic() + seconds

        async def one() -> None:
            while time.monotonic() < end:
                await self.ask()

        await asyncio.gather(*(one() for _ in range(clients)))
        return self.answers

    async def offered(self, rate: float, seconds: float) -> Answers:
        """Ask at a rate, whether or not answers come."""
        begun, sent, tasks = time.monotonic(), 0, set()
        while (now := time.monotonic() - begun) < seconds:
            for _ in range(int(now * rate) - sent):
                task = asyncio.create_task(self.ask())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                sent += 1
            await asyncio.sleep(0.002)
        await asyncio.gather(*tasks)
        return self.answers
