"""One worker process: a server that sends heartbeats to its supervisor and ends when the supervisor does."""

import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import orjson
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE

from serving.process.liveness import Liveness

SPAWN = multiprocessing.get_context("spawn")
multiprocessing.allow_connection_pickling()

ALIVE, ENDING = b".", b"e"
"""Messages to the supervisor; any other message is JSON with the reason why the worker failed."""
LONGEST = 65536
"""Most bytes of a message."""
BEATS = 5
"""Server ticks per heartbeat; there are ten ticks a second."""
MARGIN = 5.0
"""Seconds that a worker has to exit after its last request."""


class Worker:
    """The supervisor's handle of a worker process. No method blocks on the process."""

    def __init__(self, config: Config, sockets: list[socket.socket], hung_after: float, start_timeout: float) -> None:
        """Start the process. Raises ``OSError`` if the system cannot."""
        self.grace = (config.timeout_graceful_shutdown or 0) + MARGIN
        self.liveness = Liveness(hung_after, start_timeout, self.grace)
        self.failure: dict[str, Any] = {}
        self.hung = False
        self._signs, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._signs.setblocking(False)
        self.process = SPAWN.Process(target=_work, args=(config, sockets, theirs))
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
        """Close the message socket, once the process has ended or was killed."""
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


class _Server(Server):
    """A server whose event loop sends the heartbeats."""

    def __init__(self, config: Config, signs: socket.socket) -> None:
        super().__init__(config)
        self._signs = signs

    async def on_tick(self, counter: int) -> bool:
        """Called by the event loop ten times a second while it serves."""
        if counter % BEATS == 0:
            _say(self._signs, ALIVE)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that run."""
        _say(self._signs, ENDING)
        await super().shutdown(sockets)


def _work(config: Config, sockets: list[socket.socket], signs: socket.socket) -> None:
    """Run the server in the worker process."""
    config.configure_logging()
    server = _Server(config, signs)
    threading.Thread(target=_end_with_supervisor, args=(server, signs), daemon=True).start()
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        pass
    except Exception as error:
        failure = {"reason": str(error) or type(error).__name__}
        if not isinstance(error, ValueError | OSError | RuntimeError):  # those are expected and need no traceback
            failure["trace"] = "".join(traceback.format_exception(error))[-LONGEST // 4 :]
        _say(signs, orjson.dumps(failure))
        sys.exit(STARTUP_FAILURE)


def _end_with_supervisor(server: Server, signs: socket.socket) -> None:
    """When the supervisor is gone, free the port immediately, finish the running requests, and exit."""
    with contextlib.suppress(ConnectionResetError):  # the supervisor had unread messages
        while signs.recv(1):  # the supervisor sends nothing: this returns when it ends
            pass
    if not server.started:
        logging.shutdown()  # flush queued log lines
        os._exit(STARTUP_FAILURE)
    for _ in range(2):  # the second SIGTERM skips the drain, to free the port for another service
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
    time.sleep((server.config.timeout_graceful_shutdown or 0) + MARGIN)
    os.kill(os.getpid(), signal.SIGKILL)


def _say(signs: socket.socket, message: bytes) -> None:
    """Send without blocking; if the queue is full, the supervisor has unread messages anyway."""
    with contextlib.suppress(OSError):
        signs.send(message, socket.MSG_DONTWAIT)
