"""A server process of the command line: started, waited for and ended. Benchmarks start theirs here too."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import IO, Any, Protocol

from tests.serving.asking import CLIENT, patiently

COMMAND = (sys.executable, "-c", "from serving.cli import app; app()")
"""Starts a server; arguments of ``ranker-serve`` follow."""


def free_port() -> int:
    """A port outside of those that the system gives to connections, any of which could take it before the server."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def ready(url: str) -> bool:
    """Whether a server says that it is ready. Raises ``httpx.TransportError`` where none answers."""
    return CLIENT.get(f"{url}/health/ready").status_code == 200


def environment(settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with settings of the server by their names: ``drain`` is ``RANKER_SERVE_DRAIN``."""
    return {**os.environ, **{f"RANKER_SERVE_{name.upper()}": str(value) for name, value in settings.items()}}


class Process(Protocol):
    """What is used of ``subprocess.Popen``."""

    pid: int
    returncode: int | Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Start(Protocol):
    """Starts ``ranker-serve`` with arguments; standard output and error go to files."""

    def __call__(self, arguments: list[str], environment: Mapping[str, str], stdout: Any, stderr: Any) -> Process: ...


def by_command(
    arguments: list[str], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes] | int | None
) -> Process:
    """Start it as users do, but for the command's name."""
    return subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=stdout, stderr=stderr)


@contextmanager
def server_process(
    *arguments: object,
    settings: Mapping[str, object],
    is_up: Callable[[], bool],
    stderr: IO[bytes] | int | None = None,
    start: Start = by_command,
) -> Iterator[Process]:
    """Run a server until the block ends; the block begins once ``is_up``, which may raise ``httpx.TransportError``.

    Raises ``RuntimeError`` where the server ends at once, with the end of its log where ``stderr`` is a file that can
    be read, and ``TimeoutExpired`` where it has not ended within 60 s of a SIGTERM behind the block; it is killed then.
    """
    with open(os.devnull, "wb") as nothing:
        process = start([*map(str, arguments)], environment(settings), nothing, stderr)
    try:
        patiently(lambda: process.poll() is not None or is_up())
        if process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{_end_of(stderr)}")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _end_of(log: IO[bytes] | int | None) -> str:
    return "" if log is None or isinstance(log, int) else os.pread(log.fileno(), 2**24, 0)[-2000:].decode()
