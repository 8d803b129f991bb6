"""Killed and hung scorers under load."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import httpx
import numpy as np
import orjson

from benchmarks.under_fire.client import Client
from benchmarks.under_fire.service import PORT, Service, body_of, started
from benchmarks.under_fire.verdict import Verdict, times

HUNG_AFTER = 5.0


def kill_scorer(artifact: Path, seconds: float, candidates: int, every: float = 10, clients: int = 4) -> Verdict:
    """SIGKILL of the scorer of two workers, repeatedly, then SIGSTOP: no answer but 200 and 503, and it is replaced."""
    with started(artifact, 2, scorer="on", hung_after=HUNG_AFTER) as service:
        body = body_of(service, candidates)
        before = service.ranking(body)
        client, workers = Client(PORT, body, keep=True), set(service.status()["workers"])

        async def fire() -> list[float]:
            stop = asyncio.Event()
            load = asyncio.create_task(client.closed(clients, seconds, stop))
            try:
                return [
                    await _replaced(service, signal.SIGKILL if number else signal.SIGSTOP, every)
                    for number in reversed(range(max(int(seconds / every), 1) + 1))
                ]
            finally:
                stop.set()
                await load

        took = asyncio.run(fire())
        killed = service.metric("ranker_scorer_deaths_total", reason="killed")
        hung = service.metric("ranker_scorer_deaths_total", reason="hung")
        after, same = service.ranking(body), set(service.status()["workers"]) == workers
    answers = client.answers
    orders = {orjson.dumps(orjson.loads(content)["ids"]) for content in answers.rankings}
    return Verdict(
        "kill-scorer",
        {
            "killed, hung": [int(killed), int(hung)],
            "answers by status": answers.counts(),
            "ready again after, s": took,
            "ms": times(answers.of(200)),
            "ms of a 503": times(answers.since_sent(503)),
        },
        {
            "every dead scorer is replaced": bool(np.isfinite(took).all()) and killed == len(took) - 1 and hung == 1,
            "only 200 and 503": set(answers.status) <= {200, 503},
            "every answer is the same ranking": len(orders) == 1 and after == before,
            "no worker dies": same,
        },
    )


async def _replaced(service: Service, how: signal.Signals, every: float) -> float:
    """Wait, end the scorer, and return the seconds until the service is ready by another one."""
    await asyncio.sleep(every / 2)
    (victim,) = scorers_of(service)
    os.kill(victim, how)
    begun = time.monotonic()
    while time.monotonic() - begun < 90:
        await asyncio.sleep(0.1)
        with contextlib.suppress(httpx.TransportError, ValueError):
            (now,) = await asyncio.to_thread(scorers_of, service)
            if now != victim and await asyncio.to_thread(_all_ready, service):
                return round(time.monotonic() - begun, 2)
    return float(np.inf)


def scorers_of(service: Service) -> list[int]:
    """Process ids of the scorers: the children of the command that are no workers."""
    pid, workers = service.process.pid, {int(worker) for worker in service.status()["workers"]}
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return [child for child in sorted(children - workers) if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def _all_ready(service: Service) -> bool:
    """Whether several connections in a row, which spread over the workers, find the service ready."""
    return all(httpx.get(f"{service.url}/health/ready").status_code == 200 for _ in range(6))
