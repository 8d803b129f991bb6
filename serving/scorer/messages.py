"""Messages between workers and a scorer, over a Unix socket that keeps message boundaries.

A worker's first message is the secret, alone. Every other message is one byte for its kind and a body. Requests
and their results are structs, since each costs its encoding; everything else is JSON.
"""

import secrets
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

SCORE, LOAD, RELEASE = b"s", b"l", b"r"
"""From a worker: score a request, load a graph, and release a loaded one."""
HELLO, DONE, FAILED, LOADED = b"h", b"d", b"f", b"L"
"""From a scorer: that it is there, results of a run's requests, the error of one request, and the result of a load."""
LONGEST = 65536
"""Most bytes of a message."""
MOST_TEXT = 8000
"""Most characters of an error's text."""

_SCORE = struct.Struct("<iidqi")
_ARRAY = struct.Struct("<4sqqq")
_DONE = struct.Struct("<iiiiid")


class Address(NamedTuple):
    """How a worker reaches a scorer."""

    name: str
    """Of the abstract socket; every process of the network namespace can list it."""
    secret: str
    """Shows the scorer that a connection is a worker's."""

    @classmethod
    def random(cls, prefix: str) -> "Address":
        """A new one."""
        return cls(f"{prefix}-{secrets.token_hex(16)}", secrets.token_hex(32))

    @classmethod
    def read(cls, text: str) -> "Address":
        """From :meth:`text`."""
        name, _, secret = text.partition(":")
        return cls(name, secret)

    def text(self) -> str:
        """For a setting."""
        return f"{self.name}:{self.secret}"


class Place(NamedTuple):
    """Where an array of two dimensions is in a buffer."""

    kind: bytes
    """NumPy's name of its type: ``f4``."""
    rows: int
    columns: int
    offset: int

    def view(self, memory: Any) -> NDArray[Any]:
        """The array in a buffer's memory. Raises ``TypeError`` if it does not lie within it."""
        kind = np.dtype(self.kind.rstrip(b"\0").decode())
        return np.ndarray((self.rows, self.columns), kind, buffer=memory, offset=self.offset)


class Score(NamedTuple):
    """A request to score what is in a buffer."""

    buffer: int
    model: int
    deadline: float
    """On ``time.monotonic``'s clock, which all processes share; infinite for none."""
    scores_at: int
    """Where the scores go in the buffer."""
    places: tuple[Place, ...]
    """The packed arrays."""

    def write(self) -> bytes:
        """The message."""
        head = _SCORE.pack(self.buffer, self.model, self.deadline, self.scores_at, len(self.places))
        return b"".join((SCORE, head, *(_ARRAY.pack(*place) for place in self.places)))

    @classmethod
    def read(cls, body: bytes) -> "Score":
        """From a message's body."""
        buffer, model, deadline, scores_at, count = _SCORE.unpack_from(body)
        places = (Place(*_ARRAY.unpack_from(body, _SCORE.size + i * _ARRAY.size)) for i in range(count))
        return cls(buffer, model, deadline, scores_at, tuple(places))


class Done(NamedTuple):
    """The result of a request, by its buffer: the scores are in it, unless it was dropped."""

    buffer: int
    rows: int
    """Rows of the scores; -1 if the request was dropped: withdrawn, or past its deadline."""
    columns: int
    merged: int
    """Requests in the run."""
    first: int
    """1 for one of the run's requests, 0 for the others, so that runs can be counted."""
    waited: float
    """Seconds between arrival and run."""


def write_done(results: Iterable[Done]) -> bytes:
    """The message of the results of one run."""
    return b"".join((DONE, *(_DONE.pack(*result) for result in results)))


def read_done(body: bytes) -> Iterator[Done]:
    """The results of a run."""
    return (Done(*fields) for fields in _DONE.iter_unpack(body))


def write(kind: bytes, content: dict[str, Any]) -> bytes:
    """A message in JSON."""
    return kind + orjson.dumps(content)


def send(connection: socket.socket, message: bytes, files: Sequence[int] = ()) -> None:
    """Send a message, with file descriptors if there are any. Raises ``OSError``."""
    if files:
        socket.send_fds(connection, [message], files)
    else:
        connection.send(message)


def same_user(connection: socket.socket, user: int) -> bool:
    """Whether the other end of a connection belongs to a user."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == user)
