"""Overload: offers several times the capacity; accepted requests stay fast, the others are refused at once."""

import asyncio
from pathlib import Path

from benchmarks.under_fire.client import Answers, Client
from benchmarks.under_fire.service import PORT, body_of, growth, started, watched
from benchmarks.under_fire.verdict import Verdict, times


def overload(
    artifact: Path, seconds: float, candidates: int, workers: int, in_flight: int = 8, factor: float = 4
) -> Verdict:
    """Measure capacity and its p99 with as many clients as may be in flight, then overload at a fixed rate.

    Times count from when a request was due, so that a slow client hides nothing; its own delay is also reported.
    """
    clients, warm = in_flight * workers, max(seconds / 4, 3)
    with started(artifact, workers, max_in_flight=in_flight) as service:
        body = body_of(service, candidates)
        asyncio.run(Client(PORT, body).closed(clients, 3))
        before = service.ranking(body)
        full = asyncio.run(Client(PORT, body).closed(clients, warm))
        capacity = len(full.of(200)) / warm
        asyncio.run(Client(PORT, body).offered(factor * capacity, max(seconds / 10, 2)))

        async def fire() -> tuple[Answers, list[float]]:
            async with watched(service) as sizes:
                return await Client(PORT, body).offered(factor * capacity, seconds), sizes

        answers, sizes = asyncio.run(fire())
        after = service.ranking(body)
    unloaded, accepted, refused = times(full.of(200)), times(answers.of(200)), times(answers.of(503))
    offered = len(answers.status) / seconds
    return Verdict(
        "overload",
        {
            "capacity, requests/s": round(capacity, 1),
            "offered, requests/s": round(offered, 1),
            "accepted, requests/s": round(len(answers.of(200)) / seconds, 1),
            "answers by status": answers.counts(),
            f"{clients} clients without overload, ms": unloaded,
            "accepted, ms": accepted,
            "accepted, ms since sent": times(answers.since_sent(200)),
            "refused, ms": refused,
            "refused, ms since sent": times(answers.since_sent(503)),
            "client late by, ms": times(answers.lateness()),
            "memory, MiB": [round(sizes[0], 1), round(max(sizes), 1), round(sizes[-1], 1)],
            "memory growth": f"{growth(sizes):.2%}",
        },
        {
            f"the client offered {factor:g} times capacity": offered > 0.95 * factor * capacity,
            "accepted p99 under twice that without overload": accepted["p99"] < 2 * unloaded["p99"],
            "refused within 50 ms (p99)": refused["p99"] < 50,
            "nothing but 200 and 503": set(answers.status) == {200, 503},
            "memory is flat (2 %)": growth(sizes) < 0.02,
            "the first request after it ranks as before": after == before,
        },
    )
