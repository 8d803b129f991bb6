"""A cheap load generator in a separate process: sends prepared bytes over persistent connections.

Each line of standard input is a task (``port``, ``concurrency``, ``seconds``, ``file`` with the complete request); each
line of standard output its result: duration in seconds, milliseconds of each request, and number of non-200 answers.
"""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import uvloop


class Connection(asyncio.Protocol):
    """Sends the request again as soon as its answer has arrived, until the time is over."""

    def __init__(self, message: bytes, until: float, ended: asyncio.Future[None]) -> None:
        self._message, self._until, self._ended = message, until, ended
        self._received, self._needed = bytearray(), 0
        self.milliseconds: list[float] = []
        self.failures = 0

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Collect the answer, and send the next request once it is complete."""
        received = self._received
        received += data
        if not self._needed:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(received[:end]).lower()
            self._needed = end + 4 + int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
            self.failures += head[9:12] != b"200"
        if len(received) >= self._needed:
            now = time.perf_counter()
            self.milliseconds.append((now - self._begun) * 1e3)
            if now < self._until:
                self._send()
            else:
                self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        """Finish; a connection lost too early counts as a failure."""
        self.failures += time.perf_counter() < self._until
        if not self._ended.done():
            self._ended.set_result(None)

    def _send(self) -> None:
        self._received.clear()
        self._needed = 0
        self._begun = time.perf_counter()
        self._transport.write(self._message)


async def loaded(task: dict[str, Any]) -> dict[str, Any]:
    """Load one service for ``seconds`` over ``concurrency`` connections."""
    loop = asyncio.get_running_loop()
    message = Path(task["file"]).read_bytes()
    begun = time.perf_counter()
    until = begun + task["seconds"]
    made = []
    for _ in range(task["concurrency"]):
        ended: asyncio.Future[None] = loop.create_future()
        start = partial(Connection, message, until, ended)
        _, connection = await loop.create_connection(start, "127.0.0.1", task["port"])
        made.append((connection, ended))
    await asyncio.gather(*(ended for _, ended in made))
    return {
        "seconds": time.perf_counter() - begun,
        "milliseconds": [ms for connection, _ in made for ms in connection.milliseconds],
        "failures": sum(connection.failures for connection, _ in made),
    }


def main() -> None:
    """Run tasks until standard input ends."""
    for line in sys.stdin:
        print(orjson.dumps(uvloop.run(loaded(orjson.loads(line)))).decode(), flush=True)


if __name__ == "__main__":
    main()
