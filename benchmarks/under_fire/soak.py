"""Soak test: 80 % of capacity for a long time, without errors or growth of memory."""

import asyncio
from pathlib import Path

from benchmarks.under_fire.client import Answers, Client
from benchmarks.under_fire.service import PORT, body_of, growth, started, watched
from benchmarks.under_fire.verdict import Verdict, times

SPELLS = 6
"""Measurements of capacity, of which the lowest counts, since the speed of a shared machine varies."""


def soak(artifact: Path, seconds: float, candidates: int, workers: int, share: float = 0.8) -> Verdict:
    """Measure capacity with four clients per worker, then send requests at a fixed rate after a warm-up."""
    with started(artifact, workers) as service:
        body = body_of(service, candidates)
        asyncio.run(Client(PORT, body).closed(4 * workers, 3))
        measuring = min(10.0, max(3.0, seconds / 6))
        answered = [asyncio.run(Client(PORT, body).closed(4 * workers, measuring)) for _ in range(SPELLS)]
        capacities = [len(answers.of(200)) / measuring for answers in answered]
        capacity = min(capacities)
        asyncio.run(Client(PORT, body).offered(share * capacity, min(30, seconds / 2)))

        async def fire() -> tuple[Answers, list[float], list[float]]:
            held: list[float] = []

            async def look() -> None:
                while True:
                    await asyncio.sleep(1)
                    held.append(await asyncio.to_thread(service.metric, "ranker_in_flight"))

            looking = asyncio.create_task(look())
            async with watched(service) as sizes:
                answers = await Client(PORT, body, keep=True).offered(share * capacity, seconds)
            looking.cancel()
            return answers, sizes, held

        answers, sizes, held = asyncio.run(fire())
    return Verdict(
        "soak",
        {
            "capacity, requests/s": [round(each, 1) for each in capacities],
            "offered, requests/s": round(share * capacity, 1),
            "seconds": seconds,
            "answers by status": answers.counts(),
            "ms": times(answers.of(200)),
            "client late by, ms": times(answers.lateness()),
            "held at once, mean": round(sum(held) / max(len(held), 1), 2),
            "memory, MiB": [round(sizes[0], 1), round(max(sizes), 1), round(sizes[-1], 1)],
            "memory growth": f"{growth(sizes):.2%}",
        },
        {
            "no error": set(answers.status) == {200},
            "every answer is the same": len(answers.rankings) == 1,
            "memory grows by less than 1 %": growth(sizes) < 0.01,
        },
    )
