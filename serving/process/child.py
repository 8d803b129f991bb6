"""A child process of the supervisor, which sends heartbeats and ends when the supervisor does."""

import contextlib
import multiprocessing
import os
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import orjson

from serving.process.liveness import Liveness

SPAWN = multiprocessing.get_context("spawn")
multiprocessing.allow_connection_pickling()

ALIVE, ENDING = b".", b"e"
"""Messages to the supervisor; any other message is JSON with the reason why the process failed."""
LONGEST = 65536
"""Most bytes of a message."""
MARGIN = 5.0
"""Seconds that a process has to exit after its last request."""


class Child(ABC):
    """The supervisor's handle of a child process. No method blocks on the process."""

    kind: str
    """What metrics call it."""

    @staticmethod
    @abstractmethod
    def log_death(pid: int, **fields: Any) -> None:
        """Log that a process died that had served."""

    @staticmethod
    @abstractmethod
    def log_failure(pid: int | None, **fields: Any) -> None:
        """Log that a process ended before it served, or could not be started."""

    def __init__(self, target: Callable[..., None], arguments: tuple[Any, ...], liveness: Liveness) -> None:
        """Start ``target(*arguments, signs)``; ``signs`` takes its messages. Raises ``OSError`` if it cannot start."""
        self.liveness = liveness
        self.failure: dict[str, Any] = {}
        self.hung = False
        self._signs, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._signs.setblocking(False)
        self.process = SPAWN.Process(target=target, args=(*arguments, theirs))
        try:
            self.process.start()
        except BaseException:
            self._signs.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self.process.pid is not None, "it was started"
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.is_alive()

    @property
    def ended_by(self) -> str:
        """How the process ended: a signal's name, or its exit status."""
        code = self.process.exitcode
        if code is not None and code < 0:
            return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"exit status {code}"

    def listen(self) -> None:
        """Read the messages since the last call."""
        for message in self._messages():
            if message == ALIVE:
                self.liveness.beat()
            elif message == ENDING:
                self.liveness.end()
            else:
                self.failure = orjson.loads(message)

    def terminate(self) -> None:
        """Ask the process to finish its requests and exit."""
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process."""
        self.process.kill()

    def close(self) -> None:
        """Close the message socket: the process, if it still runs, ends as if the supervisor had ended."""
        self._signs.close()

    def _messages(self) -> Iterator[bytes]:
        while True:
            try:
                message = self._signs.recv(LONGEST)
            except OSError:  # no more messages, or the process has ended
                return
            if not message:
                return
            yield message


def say(signs: socket.socket, message: bytes) -> None:
    """Send without blocking; if the queue is full, the supervisor has unread messages anyway."""
    with contextlib.suppress(OSError):
        signs.send(message, socket.MSG_DONTWAIT)


def wait_for_supervisor(signs: socket.socket) -> None:
    """Return when the supervisor is gone, or has closed its end."""
    with contextlib.suppress(ConnectionResetError):  # the supervisor had unread messages
        while signs.recv(1):  # the supervisor sends nothing
            pass
