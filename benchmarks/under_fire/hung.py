"""Workers suspended while serving, and a killed supervisor."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np

from benchmarks.under_fire.meanwhile import meanwhile
from benchmarks.under_fire.service import PORT, Service, body_of, started
from benchmarks.under_fire.verdict import Verdict
from serving.process.procfs import start_time

HUNG_AFTER = 5.0
START = 20.0
"""Seconds that a worker has to load, even on a slow machine."""


def hung(artifact: Path, candidates: int) -> Verdict:
    """SIGSTOP of one of three workers and SIGKILL of another; SIGTERM with a stopped one; SIGKILL of the supervisor."""
    with started(artifact, 3, hung_after=HUNG_AFTER) as service:
        body = body_of(service, candidates)
        stopped, killed, _ = before = _workers(service, 3)
        with meanwhile(service, body) as watched:
            os.kill(stopped, signal.SIGSTOP)
            os.kill(killed, signal.SIGKILL)
            after = _all_after(
                {
                    "replaced": lambda: bool({*_listed(service)} - {*before}),
                    "noticed": lambda: start_time(stopped) is None,
                    "new": lambda: len({*_listed(service)} - {stopped, killed}) == 3,
                }
            )
        deaths = {reason: service.metric("ranker_worker_deaths_total", reason=reason) for reason in ("hung", "killed")}
        victim = _workers(service, 3)[0]
        os.kill(victim, signal.SIGSTOP)
        service.process.terminate()
        end = _all_after({"closed": _is_free, "ended": lambda: service.process.poll() is not None})
        status = service.process.poll()
    with started(artifact, 2, drain=600) as service:
        workers = _workers(service, 2)
        service.process.kill()
        orphans = _all_after({"freed": _is_free, "ended": lambda: not any(start_time(pid) for pid in workers)})
    return Verdict(
        "hung",
        {
            "the killed worker is replaced after, s": after["replaced"],
            "the hung worker is killed after, s": after["noticed"],
            "three workers again after, s": after["new"],
            "deaths counted": deaths,
            "SIGTERM with a hung worker: port closed, service ended after, s": [*end.values()],
            "supervisor killed: port free, workers ended after, s": [*orphans.values()],
            **watched.measured(),
        },
        {
            "the killed worker is replaced whatever the hung one does": after["replaced"] < START,
            f"the hung worker is killed within {HUNG_AFTER + 3:g} s": after["noticed"] < HUNG_AFTER + 3,
            "both deaths are counted": deaths == {"hung": 1, "killed": 1},
            "SIGTERM ends the service though a worker hangs": status == 0 and end["ended"] < HUNG_AFTER + 3,
            "the workers of a killed supervisor free the port within 2 s, and end": orphans["freed"] < 2
            and orphans["ended"] < START,
            **watched.bounds(),
        },
    )


def _listed(service: Service) -> list[int]:
    with contextlib.suppress(httpx.TransportError):
        return [int(pid) for pid in service.status()["workers"]]
    return []


def _workers(service: Service, count: int) -> list[int]:
    """Process ids, once each worker has answered: until then a worker counts as loading."""
    answered: set[int] = set()
    for _ in range(600):
        status = service.status()
        answered.add(status["answered_by"])
        found = [int(pid) for pid in status["workers"]]
        if len(found) == count and {*found} <= answered:
            return found
        time.sleep(0.05)
    raise SystemExit(f"error: fewer than {count} workers answer")


def _all_after(happened: dict[str, Callable[[], bool]], at_most: float = 90) -> dict[str, float]:
    """Seconds from now until each condition holds; infinity if it does not."""
    begun, found = time.monotonic(), dict.fromkeys(happened, float(np.inf))
    while time.monotonic() - begun < at_most and np.inf in found.values():
        for name, is_so in happened.items():
            if found[name] == np.inf and is_so():
                found[name] = round(time.monotonic() - begun, 2)
        time.sleep(0.05)
    return found


def _is_free() -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", PORT))
        except OSError:
            return False
    return True
