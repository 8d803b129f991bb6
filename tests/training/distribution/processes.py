"""The processes of a training with parameter servers, in a network of their own where the system allows it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

UP = """
import fcntl, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:  # bring the loopback interface up
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14s", b"lo", 0x1 | 0x40, b""))
print("up", flush=True)
sys.stdin.read()
"""


class Network:
    """A network with nothing but its loopback interface; the common one if the system allows no other."""

    def __init__(self) -> None:
        self.prefix: list[str] = []
        command = ["unshare", "--user", "--map-root-user", "--net", sys.executable, "-c", UP]
        self.own = False
        self._holder: subprocess.Popen[str] | None = None
        try:
            self._holder = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError:  # there is no such program
            return
        assert self._holder.stdout is not None
        self.own = self._holder.stdout.readline() == "up\n"
        if self.own:
            options = ["--user", "--net", "--preserve-credentials"]
            self.prefix = ["nsenter", "--target", str(self._holder.pid), *options]

    def sent(self) -> int:
        """Bytes that were sent over the loopback interface."""
        assert self._holder is not None, "the common network carries others' bytes, too"
        text = Path(f"/proc/{self._holder.pid}/net/dev").read_text()
        return int(next(line for line in text.splitlines() if line.strip().startswith("lo:")).split()[1])

    def close(self) -> None:
        """Let the network go."""
        if self._holder is not None:
            self._holder.communicate("")


class Cluster:
    """Processes by role and number, which are killed at the end; ``started`` is called with each new one."""

    def __init__(
        self,
        roles: Mapping[str, int],
        command: list[str],
        folder: Path,
        network: Network,
        started: Callable[[str, int, subprocess.Popen[str]], None] | None = None,
    ) -> None:
        ports = iter(free_ports(sum(roles.values())))
        self._jobs = {role: [f"127.0.0.1:{next(ports)}" for _ in range(count)] for role, count in roles.items()}
        self._command, self._folder, self._network, self._started = command, folder, network, started
        self.processes: dict[tuple[str, int], subprocess.Popen[str]] = {}
        for role, count in roles.items():
            for number in range(count):
                self.start(role, number)

    def start(self, role: str, number: int) -> None:
        """Start a process, or start it again."""
        config = json.dumps({"cluster": self._jobs, "task": {"type": role, "index": number}})
        with self.log(role, number).open("a") as log:
            self.processes[role, number] = subprocess.Popen(
                [*self._network.prefix, sys.executable, "-m", "training.cli", *self._command],
                env={**os.environ, "TF_CONFIG": config, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""},
                stdout=log,
                stderr=log,
                text=True,
            )
        if self._started is not None:
            self._started(role, number, self.processes[role, number])

    def log(self, role: str, number: int) -> Path:
        """What the process has printed."""
        return self._folder / f"{role}{number}.log"

    def kill(self, role: str, number: int) -> None:
        """Kill a process at once."""
        process = self.processes[role, number]
        process.send_signal(signal.SIGKILL)
        process.wait()

    @contextmanager
    def stopped(self, role: str, number: int) -> Iterator[None]:
        """A process that does nothing while the block runs."""
        process = self.processes[role, number]
        process.send_signal(signal.SIGSTOP)
        while process.poll() is None and _state(process.pid) not in "Tt":
            time.sleep(0.001)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


def _state(process: int) -> str:
    """The letter of its state (proc(5)); ``T`` for a stopped one."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][:1]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
