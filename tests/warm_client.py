"""Stands for ``python`` at the start of a command: a process of ``tests.warm_python`` runs what follows.

``python -I -S tests/warm_client.py SOCKET [-c CODE | -m MODULE | FILE] ARGUMENTS`` gives it this process's folder,
environment and standard streams, passes signals on to it, and ends as it ends.
"""

import json
import os
import signal
import socket
import sys

PASSED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
SIZE, STATUS = 8, 4
"""Bytes of the length of a request, and of its answer."""


def main() -> None:
    """Ask, wait, and end as the other process did; its signals are negative numbers, as in ``subprocess``."""
    _, path, *arguments = sys.argv
    said = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    request = json.dumps(said).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [len(request).to_bytes(SIZE, "big")], [0, 1, 2])
        server.sendall(request)
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: server.send(bytes([number])))
        answer = server.recv(STATUS)
    if len(answer) < STATUS:
        sys.exit("the warm Python ended before the command did")
    status = int.from_bytes(answer, "big", signed=True)
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
