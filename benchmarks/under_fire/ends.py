"""Killed workers and services stopped by SIGTERM, both under load."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.under_fire.client import Client
from benchmarks.under_fire.service import PORT, Service, body_of, started
from benchmarks.under_fire.verdict import Verdict, times

DRAIN = 5.0


def kill(artifact: Path, seconds: float, candidates: int, every: float = 5, clients: int = 4) -> Verdict:
    """SIGKILL of one of two workers, repeatedly: the service continues, and only its requests in flight are lost."""
    with started(artifact, 2) as service:
        client = Client(PORT, body_of(service, candidates))

        async def fire() -> list[dict[str, float]]:
            _, kills = await asyncio.gather(client.closed(clients, seconds), _kills(service, client, seconds, every))
            return kills

        kills = asyncio.run(fire())
    answers = client.answers
    good = np.array(answers.status) == 200
    sent, ended = np.array(answers.sent)[good], np.array(answers.ended)[good]
    gaps = [float(np.min(ended[sent > k["at"]], initial=np.inf)) - k["at"] for k in kills]
    lost = len(answers.status) - int(good.sum())
    return Verdict(
        "kill",
        {
            "killed": len(kills),
            "answers by status": answers.counts(),
            "in flight when killed": sum(int(k["open"]) for k in kills),
            "lost": lost,
            "answers again after, s": [round(gap, 3) for gap in gaps],
            "two workers again after, s": [round(k["replaced"], 2) for k in kills],
            "ms": times(answers.of(200)),
        },
        {
            "workers were killed": len(kills) > 0,
            "answers again within 2 s": max(gaps, default=np.inf) < 2,
            "lost at most what was in flight": lost <= sum(k["open"] for k in kills),
            "every killed worker is replaced": all(np.isfinite(k["replaced"]) for k in kills),
        },
    )


async def _kills(service: Service, client: Client, seconds: float, every: float) -> list[dict[str, float]]:
    kills: list[dict[str, float]] = []
    pause, last = (
        every / 2,
        time.monotonic() + seconds - every / 4,
    )  # clients must still be sending when the last worker is killed
    while time.monotonic() + pause < last:
        await asyncio.sleep(pause)
        pause = every
        victim = await _workers(service, 2)
        os.kill(victim[0], signal.SIGKILL)
        at = time.monotonic()
        kills.append({"at": at, "open": client.open, "replaced": np.inf})
        if len(await _workers(service, 2, without=victim[0])) == 2:
            kills[-1]["replaced"] = time.monotonic() - at
    return kills


async def _workers(service: Service, count: int, without: int = 0) -> list[int]:
    """Process ids of the workers, once there are ``count``; fewer if that takes more than a minute."""
    found: list[int] = []
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            found = [int(pid) for pid in (await asyncio.to_thread(service.status))["workers"]]
            if len(found) == count and without not in found:
                return found
        await asyncio.sleep(0.1)
    return []


def term(artifact: Path, seconds: float, candidates: int, rate: float = 0) -> Verdict:
    """SIGTERM under load, with one worker and with two: no request is lost if clients respect ``/health/ready``."""
    measured: dict[str, Any] = {}
    bounds: dict[str, bool] = {}
    for workers in (1, 2):
        with started(artifact, workers, drain=DRAIN) as service:
            body = body_of(service, candidates)
            if not rate:
                rate = 0.5 * len(asyncio.run(Client(PORT, body).closed(4, 3)).of(200)) / 3
            client = Client(PORT, body)
            took = asyncio.run(_ending(service, client, rate, max(seconds / 4, 1)))
            code = service.process.poll()
        answers = client.answers
        measured |= {
            f"{workers} worker(s): answers by status": answers.counts(),
            f"{workers} worker(s): not ready, all answered, ended after, s": took,
            f"{workers} worker(s): ms": times(answers.of(200)),
        }
        bounds |= {
            f"{workers} worker(s): nothing is lost": set(answers.status) == {200},
            f"{workers} worker(s): ends by itself, with 0": code == 0,
        }
    return Verdict("term", {"offered, requests/s": round(rate, 1), **measured}, bounds)


async def _ending(service: Service, client: Client, rate: float, before: float) -> list[float]:
    """Send requests as a load balancer does: until the readiness probe, sent ten times a second, fails."""
    stop = asyncio.Event()
    offering = asyncio.create_task(client.offered(rate, 120, stop))
    await asyncio.sleep(before)
    service.process.send_signal(signal.SIGTERM)
    begun, took = time.monotonic(), []
    async with httpx.AsyncClient(base_url=service.url, timeout=10) as probe:
        while not stop.is_set():
            await asyncio.sleep(0.1)
            try:
                if (await probe.get("/health/ready", headers={"Connection": "close"})).status_code == 503:
                    stop.set()
            except httpx.TransportError:
                stop.set()
    took.append(round(time.monotonic() - begun, 2))
    await offering
    took.append(round(time.monotonic() - begun, 2))
    with contextlib.suppress(Exception):
        await asyncio.to_thread(service.process.wait, 60)
    return [*took, round(time.monotonic() - begun, 2)]
