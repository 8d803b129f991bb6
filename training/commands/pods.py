"""TensorFlow's description of pods that train together, ``TF_CONFIG``, for each of them."""

import json
import re
from dataclasses import dataclass

from ranker.registry import require_known

ROLES = {"worker": "worker", "chief": "chief", "server": "ps"}
"""TensorFlow's name of each role."""
INDEX = "JOB_COMPLETION_INDEX"
"""Environment variable that Kubernetes sets in the pods of an indexed Job."""


_LONGEST = 40
"""Pods are called after the Service, their role and number, and Kubernetes allows them 63 characters."""
_NAME = re.compile(rf"[a-z](?:[a-z0-9-]{{0,{_LONGEST - 2}}}[a-z0-9])?")


@dataclass(frozen=True)
class Pods:
    """Pods of indexed Jobs behind a headless Service, reached at ``NAME-ROLE-INDEX.NAME:PORT``.

    Attributes
    ----------
    name
        Name of the Service. The Job of a role is called ``NAME-ROLE``.
    workers
        Number of workers.
    servers
        Number of servers, which hold the tables; with some, there is a chief, too.
    port
        Port that each pod listens on.
    """

    name: str
    workers: int
    servers: int = 0
    port: int = 2222

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for a name that Kubernetes refuses, and for numbers out of range."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"--name: must be a name of a Service, at most {_LONGEST} lower-case letters, digits and hyphens that "
                f"begin with a letter and end with a letter or digit, got {self.name!r}"
            )
        for option, value, least in (("--workers", self.workers, 1), ("--servers", self.servers, 0)):
            if value < least:
                raise ValueError(f"{option}: must be at least {least}, got {value}")
        if not 0 < self.port < 65536:
            raise ValueError(f"--port: must be from 1 to 65535, got {self.port}")

    @property
    def counts(self) -> dict[str, int]:
        """Number of pods by role."""
        return (
            {"chief": 1, "worker": self.workers, "server": self.servers} if self.servers else {"worker": self.workers}
        )

    def config(self, role: str, index: int) -> str:
        """``TF_CONFIG`` of a pod: the addresses of all, by TensorFlow's roles, and its own role and index, as JSON.

        Raises ``ValueError`` for a role that the cluster has not, and for an index that no pod of the role has.
        """
        require_known(role, ROLES, "--role", "a role")
        if role not in self.counts:
            raise ValueError(f"--role {role}: there is none without servers; set --servers, or use the role worker")
        if not 0 <= index < self.counts[role]:
            raise ValueError(
                f"--index {index}: the {self.counts[role]} pod(s) of role {role} have indices from 0; does "
                f"{self.name}-{role} have as many pods as the option says?"
            )
        hosts = {
            ROLES[each]: [f"{self.name}-{each}-{i}.{self.name}:{self.port}" for i in range(count)]
            for each, count in self.counts.items()
        }
        return json.dumps({"cluster": hosts, "task": {"type": ROLES[role], "index": index}})
