"""Staged rollout: a fraction of hosts takes a new version at once, the others after a delay."""

import hashlib
import random
import socket
import time
from collections.abc import Callable


class Rollout:
    """A fraction of hosts takes a new version at once, the others ``delay`` seconds after they first see it.

    The first hosts are chosen by a hash of host name, model and version: they differ for each version but survive
    restarts.
    """

    def __init__(
        self,
        fraction: float = 1.0,
        delay: float = 0.0,
        host: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fraction, self._delay, self._clock = fraction, delay, clock
        self._host = socket.gethostname() if host is None else host
        self._seen: dict[tuple[str, int], float] = {}

    def is_due(self, model: str, version: int) -> bool:
        """Whether this host may take a version now; the first call for a version starts its delay."""
        seen = self._seen.setdefault((model, version), self._clock())
        return self.is_first(model, version) or self._clock() - seen >= self._delay

    def is_first(self, model: str, version: int) -> bool:
        """Whether this host takes a version at once."""
        digest = hashlib.blake2b(f"{self._host}\0{model}\0{version}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._fraction * 2**64


def jittered(seconds: float) -> float:
    """A random time from 0.5 to 1.5 times ``seconds``, so that hosts do not load a version simultaneously."""
    return seconds * random.uniform(0.5, 1.5)
