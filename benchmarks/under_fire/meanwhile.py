"""Requirements of every test: memory stays small, the liveness probe answers, and good requests work afterwards."""

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import numpy as np

from benchmarks.under_fire.service import PORT, Service
from benchmarks.under_fire.verdict import quantile, times

LIVE_MS = 100.0
EVERY = 0.05


@dataclass
class Meanwhile:
    """Resident MiB at rest and during a test, milliseconds of ``/health/live``, seconds to the first good answer."""

    rest: float
    sizes: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)
    unanswered: int = 0
    good_after: float = np.inf

    def measured(self) -> dict[str, object]:
        """For a verdict."""
        return {
            "memory at rest and at most, MiB": [round(self.rest, 1), round(max(self.sizes), 1)],
            "/health/live, ms": times(np.array(self.live)),
            "/health/live without an answer": self.unanswered,
            "a good request is answered after, s": round(self.good_after, 3),
        }

    def bounds(self) -> dict[str, bool]:
        """For a verdict."""
        return {
            "memory stays under twice that at rest": max(self.sizes) < 2 * self.rest,
            f"/health/live answers within {LIVE_MS:g} ms (p99)": quantile(np.array(self.live), 0.99) < LIVE_MS
            and not self.unanswered,
            "a good request is answered within a second of the end": self.good_after < 1,
        }


@contextlib.contextmanager
def meanwhile(service: Service, body: bytes) -> Iterator[Meanwhile]:
    """Observe a service while the block runs, then send it the good request ``body``."""
    found, stop = Meanwhile(service.memory()), threading.Event()

    def look() -> None:
        while not stop.is_set():
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=2)
            try:
                connection.request("GET", "/health/live")
                connection.getresponse().read()
                found.live.append((time.monotonic() - begun) * 1e3)
            except (OSError, http.client.HTTPException):
                found.unanswered += 1
            finally:
                connection.close()
            found.sizes.append(service.memory())
            stop.wait(EVERY)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        stop.set()
        looking.join()
    begun = time.monotonic()
    with contextlib.suppress(httpx.HTTPError):
        service.ranking(body)
        found.good_after = time.monotonic() - begun
