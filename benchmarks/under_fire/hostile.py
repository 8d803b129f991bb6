"""Hostile clients, one kind after another, next to good ones: memory stays small and good requests are answered."""

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import numpy as np
import pyarrow as pa

from benchmarks.under_fire.service import PORT, Service, body_of, started
from benchmarks.under_fire.verdict import Verdict, times

KEY = "a key for good clients of the benchmark"
BEARER = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
HEAD = b"POST /rank HTTP/1.1\r\nHost: x\r\n"
KEYED = f"Authorization: Bearer {KEY}\r\n".encode()
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
MIB = 2**20
SLOW, MANY, CROWD = 40, 1200, 300
"""Numbers of connections: with slow bodies, above ``max_in_flight``; above a worker's limit; and a third of that."""
PAUSE = 0.5
"""Seconds between two waves of connections: without a pause, the machine would only open connections."""
LATE = 1.0
"""Seconds after an attack within which a good request must be answered."""

Attack: TypeAlias = Callable[[float], None]
"""Attacks for about the given number of seconds."""


def hostile(artifact: Path, seconds: float, candidates: int) -> Verdict:
    """Run each attack for some seconds against a service with keys; some attacks use a valid key, as if leaked."""
    measured: dict[str, Any] = {}
    bounds: dict[str, bool] = {}
    with started(artifact, api_keys=KEY, log_requests="none") as service:
        body = body_of(service, candidates)
        with httpx.Client(timeout=60) as client:
            _good(client, service, body)
        rest = service.memory()
        for name, attack in attacks(body).items():
            found = _under(service, attack, seconds, body)
            measured[name] = found
            bounds |= {
                f"{name}: memory under twice that of rest": found["memory, MiB"] < 2 * rest,
                f"{name}: /health/live within 100 ms (p50)": found["live, ms"]["p50"] < 100,
                f"{name}: good requests are answered meanwhile": found["good"] > 0
                and not found["good, refused or lost"],
                f"{name}: the attack itself ran as meant": not found["went wrong"],
                f"{name}: a good request within {LATE:g} s of its end": found["after, s"] < LATE,
            }
    return Verdict("hostile", {"memory at rest, MiB": round(rest, 1), **measured}, bounds)


def _under(service: Service, attack: Attack, seconds: float, body: bytes) -> dict[str, Any]:
    """Probe latencies, a good client's answers, and the service's memory during an attack."""
    live, good, sizes, lost, wrong = [], 0, [service.memory()], 0, []

    def run() -> None:
        try:
            attack(seconds)
        except Exception as error:  # an exception in the thread would be lost
            wrong.append(f"{type(error).__name__}: {error}")

    attacking = threading.Thread(target=run, daemon=True)
    with httpx.Client(timeout=60) as client:
        attacking.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            begun = time.monotonic()
            with contextlib.closing(httpx.Client(timeout=60)) as probe:
                begun = time.monotonic()
                probe.get(f"{service.url}/health/live")
            live.append((time.monotonic() - begun) * 1e3)
            try:
                answered = _good(client, service, body)
            except httpx.TransportError:
                answered = _again(service, body)
            good, lost = good + answered, lost + (not answered)
            sizes.append(service.memory())
            time.sleep(0.05)
        attacking.join()
        begun = time.monotonic()
        answered = _again(service, body)
        after = time.monotonic() - begun if answered else float("inf")
    return {
        "memory, MiB": round(max(sizes), 1),
        "live, ms": times(np.array(live)),
        "good": good,
        "good, refused or lost": lost,
        "went wrong": wrong,
        "after, s": round(after, 3),
    }


def _good(client: httpx.Client, service: Service, body: bytes) -> bool:
    return client.post(f"{service.url}/rank", content=body, headers=BEARER).status_code == 200


def _again(service: Service, body: bytes) -> bool:
    """Use a new connection, as clients do after an idle one was closed."""
    with httpx.Client(timeout=60) as client:
        return _good(client, service, body)


def attacks(body: bytes) -> dict[str, Attack]:
    """All attacks by name."""
    chunks = HEAD + KEYED + b"Transfer-Encoding: chunked\r\n\r\n"
    columns = {f"c{i}": pa.array([1], pa.int8()) for i in range(30_000)}
    arrow = b"Content-Type: application/vnd.apache.arrow.stream\r\n"
    keys = json.dumps({"candidates": {f"c{i}": 0 for i in range(400_000)}}).encode()
    nested = b"[" * 1000 + b"]" * 1000
    wrong = b'{"candidates":{"x":[' + b"[1]," * 1_000_000 + b"[]]}}"
    return {
        "short header lines without end": lambda s: _flood(s, GET[:-2], b"A: b\r\n" * 10_000),
        "one header without end": lambda s: _flood(s, GET[:-2] + b"A: ", b"b" * MIB),
        "empty lines from many": lambda s: _crowd(s, b"\r\n" * 32_768),
        "pipelines from many": lambda s: _crowd(s, GET * 1000),
        "tiny chunks from many": lambda s: _crowd(s, chunks + b"1\r\na\r\n" * 10_000),
        "gzip members": lambda s: _posts(s, gzip.compress(b"") * 400_000, b"Content-Encoding: gzip\r\n"),
        "pipelined requests": lambda s: _flood(s, b"", GET * 10_000),
        "tiny chunks": lambda s: _flood(s, chunks, b"1\r\na\r\n" * 10_000),
        "connections": _connections,
        "slow heads": lambda s: _trickle(s, MANY // 4, GET[:-2]),
        "slow bodies": lambda s: _trickle(s, SLOW, HEAD + KEYED + b"Content-Length: 5000\r\n\r\n{"),
        "bodies without a key": lambda s: _again_and_again(
            s, HEAD + b"Content-Length: 8000000\r\n\r\n", b"x" * 8_000_000
        ),
        "Arrow columns": lambda s: _posts(s, _stream(pa.table(columns)), arrow),
        "JSON keys": lambda s: _posts(s, keys),
        "JSON lists": lambda s: _posts(s, wrong),
        "JSON nested": lambda s: _posts(s, nested),
        "half-closed": lambda s: _half_closed(s, body),
    }


def _stream(table: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


@contextlib.contextmanager
def _connected(wait: float = 5) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", PORT), timeout=wait) as connection:
        yield connection


def _flood(seconds: float, first: bytes, then: bytes) -> None:
    """Send endlessly on one connection after another, without reading answers."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), _connected(1) as connection:
            connection.sendall(first)
            while time.monotonic() < until:
                connection.sendall(then)


def _again_and_again(seconds: float, head: bytes, rest: bytes) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(OSError), _connected() as connection:
            connection.sendall(head + rest)
            connection.recv(4096)


def _crowd(seconds: float, text: bytes) -> None:
    """Send a text on many connections at once, and close each one immediately."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.ExitStack() as stack:
            for _ in range(CROWD):
                with contextlib.suppress(OSError):
                    connection = stack.enter_context(_connected(1))
                    connection.setblocking(False)
                    connection.send(text)
        time.sleep(PAUSE)


def _posts(seconds: float, body: bytes, more: bytes = b"") -> None:
    """Send requests with a key, two at a time."""
    head = HEAD + KEYED + more + b"X-Request-Timeout-Ms: 2000\r\nContent-Length: %d\r\n\r\n" % len(body)
    threads = [threading.Thread(target=_again_and_again, args=(seconds, head, body)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _connections(seconds: float) -> None:
    """Open more connections than a worker may have, and send nothing."""
    _trickle(seconds, MANY, b"")


def _trickle(seconds: float, count: int, first: bytes) -> None:
    """Send one byte per second on each of many connections, and reopen closed ones."""
    until = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        while time.monotonic() < until:
            held = []
            for _ in range(count):
                with contextlib.suppress(OSError):
                    held.append(stack.enter_context(_connected()))
                    held[-1].sendall(first)
            for _ in range(5):
                time.sleep(min(1, max(until - time.monotonic(), 0)))
                for connection in held:
                    with contextlib.suppress(OSError):
                        connection.sendall(b"a" if first else b"")
            for connection in held:
                connection.close()


def _half_closed(seconds: float, body: bytes) -> None:
    """Send good requests and close the sending side; a lost answer ends the attack with an error."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with _connected(60) as connection:
            connection.sendall(HEAD + KEYED + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            connection.shutdown(socket.SHUT_WR)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise AssertionError("the answer to a half-closed request is lost")
