"""When this host takes a new version: at once where it is one of the first, and else after a delay."""

import hashlib
import random
import socket
import time
from collections.abc import Callable


class Rollout:
    """A fraction of hosts takes a new version at once, the others ``delay`` seconds after they first see it.

    Which hosts are the first is drawn by a hash of the host's name, the model and the version, so that it is another
    part of them for each version, and a restart changes nothing.
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
        """Whether this host may take a version now; the first question about it starts the delay."""
        seen = self._seen.setdefault((model, version), self._clock())
        return self.is_first(model, version) or self._clock() - seen >= self._delay

    def is_first(self, model: str, version: int) -> bool:
        """Whether this host is one of those that take a version at once."""
        digest = hashlib.blake2b(f"{self._host}\0{model}\0{version}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self._fraction * 2**64


def jittered(seconds: float) -> float:
    """A time between half of ``seconds`` and one and a half, so that hosts do not load a version all at once."""
    return seconds * random.uniform(0.5, 1.5)
