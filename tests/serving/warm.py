"""A Python that has imported all that a server does, and forks for each server: importing takes longer than serving.

Each process of a test run has one of its own. Servers are as if started anew, but for what importing leaves behind;
``tests/serving/test_cli.py``, among others, starts them by the command itself.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from tests.forked import begin_anew
from tests.serving.server_process import Process, Start, by_command, environment

ROOT = Path(__file__).parents[2]
SIZE, NUMBER = 4, 8
"""Bytes that the length of a request takes, and a number of an answer."""
IMPORTED = ("serving.cli", "serving.app", "serving.http.http11", "serving.process.supervisor", "serving.scorer.process")
WITHOUT_EFFECT = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
ENGINES = ("onnxruntime", "uvloop", "httptools")


class Warm:
    """A running one, which ends with this process at the latest."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.serving.warm", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])
        self._owner, self._socket, self._of_python = os.getpid(), ours, _of_python(os.environ)
        atexit.register(self.close)

    def start(
        self, arguments: list[str], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
    ) -> Process:
        """Start ``ranker-serve`` with arguments, and with nothing to read.

        Python reads variables as it begins: where they are others than for the warm one, the command itself is started.
        """
        if _of_python(environment) != self._of_python:
            return by_command(arguments, environment, stdout, stderr)
        request = json.dumps({"arguments": arguments, "environment": dict(environment), "folder": os.getcwd()}).encode()
        streams = [stdout.fileno(), stderr.fileno()]
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [len(request).to_bytes(SIZE, "big")], [theirs.fileno(), *streams])
        self._socket.sendall(request)
        return WarmServer(ours)

    def close(self) -> None:
        """End it, unless this is a fork of the process that it is of. Servers that still run are told to end."""
        if os.getpid() == self._owner:
            self._socket.shutdown(socket.SHUT_RDWR)  # forks may hold it, too
            self._socket.close()
            self._process.wait()


class WarmServer:
    """A server's process, with what ``subprocess.Popen`` has of it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = self._number()
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; ``None`` while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit status. Raises ``subprocess.TimeoutExpired``."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("ranker-serve", timeout or 0)
            self.returncode = self._number()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        number = self._connection.recv(NUMBER, socket.MSG_WAITALL)
        if len(number) < NUMBER:
            raise RuntimeError("the warm Python has ended")
        return int.from_bytes(number, "big", signed=True)


@cache
def warm() -> Warm:
    """The one of this process, started when first asked for."""
    return Warm()


def ranker_serve(
    *arguments: object, start: Start | None = None, variables: Mapping[str, str] | None = None, **settings: object
) -> "subprocess.CompletedProcess[str]":
    """What ``ranker-serve`` leaves that ends by itself."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = (start or warm().start)(
            [*map(str, arguments)], {**environment(settings), **(variables or {})}, stdout, stderr
        )
        try:
            process.wait(timeout=120)
        finally:
            process.kill()
        texts = [os.pread(file.fileno(), 2**24, 0).decode() for file in (stdout, stderr)]
    return subprocess.CompletedProcess([*arguments], process.returncode, *texts)


def serve(requests: socket.socket) -> None:
    """Fork for every request, until the other side has closed its end. In a fork, return once it is to be a server."""
    running: dict[int, tuple[int, socket.socket]] = {}  # by the file that tells of the end
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, for pytest
    while True:
        for ready in select.select([requests, *running], [], [])[0]:
            if ready is not requests:
                pid, connection = running.pop(ready)
                os.close(ready)
                with connection:
                    _tell(connection, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                continue
            size, files, *_ = socket.recv_fds(requests, SIZE, 3)
            if not size:
                for pid, _ in running.values():
                    os.kill(pid, signal.SIGTERM)
                sys.exit()
            request = json.loads(requests.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
            told, streams = socket.socket(fileno=files[0]), files[1:]
            pid = os.fork()
            if not pid:
                for held in (requests, told, *(connection for _, connection in running.values())):
                    held.close()
                for file in running:
                    os.close(file)
                return _become(request["arguments"], request["environment"], request["folder"], streams)
            for stream in streams:
                os.close(stream)
            _tell(told, pid)
            running[os.pidfd_open(pid)] = pid, told


def _of_python(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name.startswith("PYTHON") and name not in WITHOUT_EFFECT
    }


def _tell(connection: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody listens any more
        connection.sendall(number.to_bytes(NUMBER, "big", signed=True))


def _become(arguments: list[str], environment: dict[str, str], folder: str, streams: Sequence[int]) -> None:
    """Make what depends on where and how a process starts again; there is nothing to read."""
    begin_anew(folder, environment, [os.open(os.devnull, os.O_RDONLY), *streams])
    sys.modules["__main__"] = types.ModuleType("__main__")  # processes of the server would import this one
    sys.argv, sys.path[0] = ["-c", *arguments], ""


if __name__ == "__main__":
    import importlib

    for module in (*IMPORTED, *ENGINES):
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # forks share what is there, as long as nobody counts it
    serve(socket.socket(fileno=int(sys.argv[1])))

    from serving.cli import app

    app()
