"""Which processes a training has, and which of them this one is: from ``TF_CONFIG``, or from a file of hosts."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ranker.config.file import ConfigError

TF_CONFIG = "TF_CONFIG"
PLACES = ("RANKER_WORKER", "JOB_COMPLETION_INDEX")
"""Variables of the environment with a process's place in the file of hosts, from 0; the first that is set counts."""
ROLES = ("chief", "worker", "ps", "evaluator")
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class Cluster:
    """The processes of a training, and this process's place.

    Attributes
    ----------
    jobs
        Addresses, ``host:port``, of the processes of each role: ``chief``, ``worker``, ``ps``, in this order.
    role, index
        This process: the role, and the place among its addresses, from 0.
    source
        Where this was found, for messages.
    """

    jobs: Mapping[str, tuple[str, ...]]
    role: str
    index: int
    source: str

    @property
    def workers(self) -> tuple[str, ...]:
        """Addresses of those that step together, the chief's first."""
        return (*self.jobs.get("chief", ()), *self.jobs.get("worker", ()))

    @property
    def servers(self) -> tuple[str, ...]:
        """Addresses of the parameter servers."""
        return self.jobs.get("ps", ())

    @property
    def address(self) -> str:
        """The address of this process."""
        return self.jobs[self.role][self.index]

    @property
    def number(self) -> int:
        """The place of this process in :attr:`workers`; of roles that do not train, among their like."""
        return self.index + (len(self.jobs.get("chief", ())) if self.role == "worker" else 0)

    def tf_config(self) -> str:
        """The cluster and the place as TensorFlow reads them from the environment."""
        jobs = {role: list(addresses) for role, addresses in self.jobs.items()}
        return orjson.dumps({"cluster": jobs, "task": {"type": self.role, "index": self.index}}).decode()


def answers(address: str, seconds: float) -> bool:
    """Whether something listens at ``host:port`` and takes a connection in time."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), seconds) as connection:
            # Where nobody listens, the system may choose the very port to connect from, and the two ends are one.
            return bool(connection.getsockname() != connection.getpeername())
    except OSError:
        return False


def cluster_of(hosts: str | None, name: str, environment: Mapping[str, str] | None = None) -> Cluster:
    """The cluster of the file ``hosts``, one worker a line, or else of ``TF_CONFIG``.

    ``name`` is the distribution's, for messages; ``environment`` is by default the process's. Raises ``ConfigError``
    that names the line, variable or key, and what would be right.
    """
    environment = os.environ if environment is None else environment
    return _of_file(Path(hosts), environment) if hosts is not None else _of_variable(name, environment)


def _of_file(path: Path, environment: Mapping[str, str]) -> Cluster:
    where = f"training.distribute.hosts: {path}"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise ConfigError(f"{where}: cannot be read ({reason}); it has one host:port a line") from None
    stripped = ((number, line.split("#", 1)[0].strip()) for number, line in enumerate(lines, 1))
    found = [(_checked(line, f"{where}, line {number}"), number) for number, line in stripped if line]
    if not found:
        raise ConfigError(f"{where}: is empty; it needs the host:port of each worker, one a line")
    addresses = tuple(address for address, _ in found)
    _check_distinct(addresses, where)
    return Cluster({"worker": addresses}, "worker", _place(environment, len(addresses), str(path)), str(path))


def _place(environment: Mapping[str, str], count: int, source: str) -> int:
    variable = next((name for name in PLACES if environment.get(name)), None)
    if variable is None:
        raise ConfigError(
            f"{PLACES[0]}: is not set; set it in each process to its place in {source}, 0 to {count - 1} (an indexed "
            f"Kubernetes Job sets {PLACES[1]})"
        )
    text = environment[variable]
    if not re.fullmatch(r"\d{1,9}", text) or int(text) >= count:
        raise ConfigError(
            f"{variable}: must be a whole number from 0 to {count - 1}, a place in {source}, got {text!r}"
        )
    return int(text)


def _of_variable(name: str, environment: Mapping[str, str]) -> Cluster:
    text = environment.get(TF_CONFIG)
    if not text:
        raise ConfigError(
            f"training.distribute: {name} needs to know its processes: set {TF_CONFIG} in each, such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
            + (", or name a file of hosts in training.distribute.hosts" if name == "multi_worker" else "")
        )
    try:
        content = orjson.loads(text)
    except ValueError as error:
        raise ConfigError(f"{TF_CONFIG}: is not JSON ({error})") from None
    jobs = _jobs(_part(content, "cluster"))
    task = _part(content, "task")
    role, index = task.get("type"), task.get("index")
    if role not in jobs:
        raise ConfigError(f"{TF_CONFIG}: task.type must be one of {', '.join(jobs)}, got {role!r}")
    if isinstance(index, str) and index.isdecimal():  # as some schedulers write it
        index = int(index)
    count = len(jobs[role])
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
        raise ConfigError(
            f"{TF_CONFIG}: task.index must be a whole number from 0 to {count - 1}, since cluster.{role} has {count} "
            f"address(es), got {index!r}"
        )
    return Cluster(jobs, role, index, TF_CONFIG)


def _part(content: Any, key: str) -> Mapping[str, Any]:
    part = content.get(key) if isinstance(content, dict) else None
    if not isinstance(part, dict) or not part:
        example = '{"worker": ["host1:2222"]}' if key == "cluster" else '{"type": "worker", "index": 0}'
        raise ConfigError(f"{TF_CONFIG}: needs {key!r}, such as {example}")
    return part


def _jobs(cluster: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    jobs: dict[str, tuple[str, ...]] = {}
    for role in sorted(cluster, key=lambda role: (ROLES.index(role) if role in ROLES else -1, role)):
        addresses, where = cluster[role], f"{TF_CONFIG}: cluster.{role}"
        if role not in ROLES:
            raise ConfigError(f"{where}: unknown role; roles are {', '.join(ROLES)}")
        if not isinstance(addresses, list) or not all(isinstance(address, str) for address in addresses):
            raise ConfigError(f"{where}: must be a list of host:port, got {addresses!r}")
        if addresses:
            jobs[role] = tuple(_checked(address, where) for address in addresses)
    if len(jobs.get("chief", ())) > 1:
        raise ConfigError(f"{TF_CONFIG}: cluster.chief: there is one chief, got {len(jobs['chief'])}")
    _check_distinct([address for addresses in jobs.values() for address in addresses], TF_CONFIG)
    return jobs


def _checked(address: str, where: str) -> str:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ConfigError(f"{where}: must be host:port with a port from 1 to 65535, got {address!r}")
    return address


def _check_distinct(addresses: tuple[str, ...] | list[str], where: str) -> None:
    twice = next((address for i, address in enumerate(addresses) if address in addresses[:i]), None)
    if twice is not None:
        raise ConfigError(f"{where}: {twice} is there twice; each process has an address of its own")
