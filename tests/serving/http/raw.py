"""Bytes to a server and back, with no HTTP client between."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

HEAD = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A connection that waits for a minute at most."""
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=60) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """All that the server sends until it closes."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def answers(text: bytes) -> list[tuple[int, dict[str, str], object]]:
    """Status, headers and JSON of each answer in what a server sent."""

    class Text:
        def makefile(self, *_: object) -> object:
            return file

    import io

    file, found = io.BytesIO(text), []
    file.close = lambda: None  # the next answer follows
    while file.tell() < len(text):
        response = http.client.HTTPResponse(Text())
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        found.append((response.status, headers, json.loads(response.read())))
    return found


def said(url: str, text: bytes, half_close: bool = False) -> list[tuple[int, dict[str, str], object]]:
    """What a server answers to some bytes, until it closes the connection."""
    with connected(url) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(text)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return answers(until_closed(connection))
