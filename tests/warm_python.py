"""A Python that has imported TensorFlow and all of training, and forks for each command: importing costs 5 s and more.

``command`` is the start of a command line that ends where ``python`` itself would be: ``[*command, "-m",
"training.cli", "fit", ...]``. What follows runs in a process of its own, with the folder, the environment and the
standard streams of the one that asked, and as if that had been started anew.
"""

import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ranker.file_locks import locked
from tests import warm_client
from tests.forked import begin_anew
from tests.warm_client import SIZE, STATUS

ROOT = Path(__file__).parents[1]
READY = b"!"


@contextmanager
def warm_python(folder: Path) -> Iterator[list[str]]:
    """The start of a command line. All processes of a test run that name the same folder share one warm Python.

    It ends with the last of their blocks; the process that started it waits for that.
    """
    path, errors = folder / "warm.socket", folder / "warm.txt"
    with locked(folder / "warm.lock"):
        process, lease = None, _lease(path)
        if lease is None:
            path.unlink(missing_ok=True)
            process = _started(path, errors)
    try:
        yield [sys.executable, "-I", "-S", warm_client.__file__, str(path)]
    finally:
        if lease is not None:
            lease.close()
        if process is not None:
            process.communicate()


def _started(path: Path, errors: Path) -> "subprocess.Popen[bytes]":
    """The process, which listens. It lives as long as its standard input, or a lease, is held open by someone."""
    command = [sys.executable, "-m", "tests.warm_python", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with errors.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
        )
    assert process.stdout is not None
    if process.stdout.read(len(READY)) != READY:
        process.communicate()
        raise RuntimeError(f"no warm Python: {errors.read_text(encoding='utf-8')}")
    return process


def _lease(path: Path) -> socket.socket | None:
    """A connection that keeps a running one alive; ``None`` where none runs."""
    lease = socket.socket(socket.AF_UNIX)
    try:
        lease.connect(str(path))
        lease.sendall(bytes(SIZE))
        if lease.recv(len(READY)) == READY:
            return lease
    except OSError:
        pass
    lease.close()
    return None


def serve(path: str) -> None:
    """Fork for every request, until the standard input and all leases are closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, for pytest
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    gc.collect()
    gc.freeze()  # forks share what is there, as long as nobody counts it
    os.write(1, READY)
    leases: list[Any] = [sys.stdin]
    while leases:
        for ready in select.select([listener, *leases], [], [])[0]:
            if ready is not listener:
                leases.remove(ready)
                continue
            connection, _ = listener.accept()
            size, streams, *_ = socket.recv_fds(connection, SIZE, 3)
            if not streams:
                connection.sendall(READY)
                leases.append(connection)
            elif not os.fork():
                listener.close()
                return _run(connection, int.from_bytes(size, "big"), streams)
            else:
                connection.close()
                for stream in streams:
                    os.close(stream)
        _reap(os.WNOHANG)
    listener.close()
    _reap(0)
    return None


def _reap(options: int) -> None:
    """Wait for requests that have ended: what they took of the processor counts as this process's."""
    try:
        while os.waitpid(-1, options)[0]:
            pass
    except ChildProcessError:
        return


def _run(connection: socket.socket, size: int, streams: Sequence[int]) -> None:
    """Watch over the process of a request: it gets the signals that the other side passes on, and ends with it."""
    os.setpgid(0, 0)
    request = json.loads(connection.recv(size, socket.MSG_WAITALL))
    process = os.fork()
    if not process:
        connection.close()
        return _become(request["arguments"], request["folder"], request["environment"], streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(process)
    while ended not in select.select([connection, ended], [], [])[0]:
        numbers = connection.recv(64)
        if not numbers:
            os.killpg(0, signal.SIGKILL)
        for number in numbers:
            os.kill(process, number)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        connection.sendall(status.to_bytes(STATUS, "big", signed=True))
    finally:
        os._exit(0)


def _become(arguments: Sequence[str], folder: str, environment: dict[str, str], streams: Sequence[int]) -> None:
    """Do in this process what ``python`` does with arguments. What depends on where it starts is made again."""
    begin_anew(folder, environment, streams)
    from training.cli.terminal import console

    console.__init__()  # its width is that of COLUMNS
    kind, *others = arguments
    if kind == "-c":
        code, *others = others
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        sys.argv, sys.path[0] = ["-c", *others], ""
        exec(compile(code, "<string>", "exec"), main.__dict__)
    elif kind == "-m":
        module, *others = others
        sys.argv, sys.path[0] = ["-m", *others], folder
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = list(arguments), str(Path(kind).parent)
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    from training.quiet_imports import TRAINING, import_quietly

    import_quietly("training.cli")
    import_quietly(TRAINING)
    serve(sys.argv[1])
