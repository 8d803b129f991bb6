"""A real server over an artifact, and requests to it."""

import json
import logging.config
import os
import random
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

import httpx
import pytest

from tests.serving.asking import patiently


@pytest.fixture(autouse=True)
def _logs_stay_as_they_are(monkeypatch):
    """The command sets up its process's logs, which closes all handlers; in the tests' process these are pytest's."""
    monkeypatch.setattr(logging.config, "dictConfig", lambda _: None)


@pytest.fixture(scope="session")
def body(artifact) -> dict:
    return {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates}


@dataclass
class Server:
    """A server process of the command line, and what it has logged."""

    url: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def log(self) -> list[dict[str, Any]]:
        """Lines of its log."""
        # Read at a place of its own: the server writes on where the file's place is, which it shares.
        text = os.pread(self.errors.fileno(), 2**24, 0)
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Those of an event; a line is there a moment after what it tells of."""
        return [line for line in self.log() if line["event"] == event]


def free_port() -> int:
    """A port outside of those that the system gives to connections, any of which could take it before the server."""
    for port in random.SystemRandom().sample(range(10_000, 32_000), 100):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def ready(url: str) -> bool:
    return httpx.get(f"{url}/health/ready").status_code == 200


QUICK = {"drain": 0, "engine": "onnxruntime"}
"""OpenVINO, the default engine, takes a second longer to start; the server of most tests (``url``) has it."""


@contextmanager
def server(*arguments: object, **settings: object) -> Iterator[Server]:
    """A server that is ready; ``settings`` are put into its environment."""
    port = free_port()
    command = [sys.executable, "-c", "from serving.cli import app; app()", *map(str, arguments), "--port", str(port)]
    given = {f"RANKER_SERVE_{name.upper()}": str(value) for name, value in {**QUICK, **settings}.items()}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env={**os.environ, **given}, stderr=errors, stdout=subprocess.DEVNULL)
        running = Server(f"http://127.0.0.1:{port}", process, errors)
        try:
            patiently(lambda: process.poll() is not None or ready(running.url))
            assert process.poll() is None, running.log()
            yield running
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


@contextmanager
def serving(*arguments: object, **settings: object) -> Iterator[str]:
    """The address of such a server."""
    with server(*arguments, **settings) as running:
        yield running.url


@pytest.fixture(scope="session")
def url(artifact) -> Iterator[str]:
    with serving(artifact.folder, "--max-candidates", 100, engine="auto") as address:
        yield address
