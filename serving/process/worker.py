"""One worker process: a server that sends heartbeats to its supervisor and ends when the supervisor does."""

import logging
import os
import signal
import socket
import sys
import threading
import time
import traceback
from typing import Any

import orjson
from uvicorn import Config, Server
from uvicorn.config import STARTUP_FAILURE

from serving.logs import event
from serving.process.child import ALIVE, ENDING, LONGEST, MARGIN, Child, say, wait_for_supervisor
from serving.process.liveness import Liveness

BEATS = 5
"""Server ticks per heartbeat; there are ten ticks a second."""


class Worker(Child):
    """The supervisor's handle of a worker process."""

    kind = "worker"

    def __init__(
        self, config: Config, sockets: list[socket.socket], hung_after: float, start_timeout: float, grace: float
    ) -> None:
        """Start the process; ``grace`` are the seconds that it has to end. Raises ``OSError`` if the system cannot."""
        super().__init__(_work, (config, sockets), Liveness(hung_after, start_timeout, grace))

    @staticmethod
    def log_death(pid: int, **fields: Any) -> None:
        """Log that a worker died."""
        event(logging.ERROR, "worker died", worker=pid, **fields)

    @staticmethod
    def log_failure(pid: int | None, **fields: Any) -> None:
        """Log that a worker could not load."""
        event(logging.ERROR, "worker cannot load", worker=pid, **fields)


class _Server(Server):
    """A server whose event loop sends the heartbeats."""

    def __init__(self, config: Config, signs: socket.socket) -> None:
        super().__init__(config)
        self._signs = signs

    async def on_tick(self, counter: int) -> bool:
        """Called by the event loop ten times a second while it serves."""
        if counter % BEATS == 0:
            say(self._signs, ALIVE)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that run."""
        say(self._signs, ENDING)
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
        say(signs, orjson.dumps(failure))
        sys.exit(STARTUP_FAILURE)


def _end_with_supervisor(server: Server, signs: socket.socket) -> None:
    """When the supervisor is gone, free the port immediately, finish the running requests, and exit."""
    wait_for_supervisor(signs)
    if not server.started:
        logging.shutdown()  # flush queued log lines
        os._exit(STARTUP_FAILURE)
    for _ in range(2):  # the second SIGTERM skips the drain, to free the port for another service
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
    time.sleep((server.config.timeout_graceful_shutdown or 0) + MARGIN)
    os.kill(os.getpid(), signal.SIGKILL)
