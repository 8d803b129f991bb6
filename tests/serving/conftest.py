"""A real server over an artifact, and requests to it."""

import json
import logging.config
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pytest

from tests.serving.server_process import Process, free_port, ready, server_process
from tests.serving.warm import warm


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
    process: Process
    errors: IO[bytes]

    def log(self) -> list[dict[str, Any]]:
        """Lines of its log."""
        # Read at a place of its own: the server writes on where the file's place is, which it shares.
        text = os.pread(self.errors.fileno(), 2**24, 0)
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Those of an event; a line is there a moment after what it tells of."""
        return [line for line in self.log() if line["event"] == event]


QUICK = {"drain": 0, "engine": "onnxruntime"}
"""OpenVINO, the default engine, takes a second longer to start; the server of most tests (``url``) has it."""


@contextmanager
def server(*arguments: object, **settings: object) -> Iterator[Server]:
    """A server that is ready; ``settings`` are put into its environment."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        tempfile.TemporaryFile() as errors,
        server_process(
            *arguments,
            "--port",
            port,
            settings={**QUICK, **settings},
            is_up=lambda: ready(url),
            stderr=errors,
            start=warm().start,
        ) as process,
    ):
        yield Server(url, process, errors)


@contextmanager
def serving(*arguments: object, **settings: object) -> Iterator[str]:
    """The address of such a server."""
    with server(*arguments, **settings) as running:
        yield running.url


@pytest.fixture(scope="session", params=["off", "on"])
def scorer(request) -> str:
    """The setting of that name: what uses this fixture runs with the engine in the worker, and in a scorer."""
    return request.param


@pytest.fixture(scope="session")
def url(artifact, scorer) -> Iterator[str]:
    with serving(artifact.folder, "--max-candidates", 100, engine="auto", scorer=scorer) as address:
        yield address
