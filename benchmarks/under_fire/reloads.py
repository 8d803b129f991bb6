"""Reloads under load: changes versions repeatedly, offers versions that must be refused, and finally rolls back."""

import asyncio
import itertools
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson

from benchmarks.under_fire.client import Answers, Client
from benchmarks.under_fire.service import KEYED, PORT, Service, body_of, started, watched
from benchmarks.under_fire.verdict import Verdict, times
from benchmarks.under_fire.versions import SPOILT, sound, spoilt

VERSIONS = range(1, 6)
EQUAL = 1e-5


def reloads(artifact: Path, seconds: float, candidates: int, workers: int, every: float = 2) -> Verdict:
    """Record each version's answer without load; under load, every answer must equal that of its version."""
    with started(artifact, workers) as service:
        body = body_of(service, candidates)
        for version in VERSIONS[1:]:
            sound(service.root, version)
        alone = {version: _alone(service, version, body) for version in (*VERSIONS[1:], VERSIONS[0])}
        before = {cause: service.metric("ranker_reloads_total", outcome=cause) for _, cause in SPOILT.values()}

        async def fire() -> tuple[Answers, dict[str, Any], list[float]]:
            stop = asyncio.Event()
            async with watched(service) as sizes:
                load = asyncio.create_task(Client(PORT, body, keep=True).closed(4 * workers, seconds, stop))
                try:
                    changes = await _changes(service, seconds, every)
                finally:
                    stop.set()
                    answers = await load
            return answers, changes, sizes

        answers, changes, sizes = asyncio.run(fire())
        counted = {cause: service.metric("ranker_reloads_total", outcome=cause) for cause in before}
    mixed = sum(count for content, count in answers.rankings.items() if not _is_of_one(content, alone))
    served = {orjson.loads(content)["model_version"] for content in answers.rankings}
    refusals = [cause for _, cause in SPOILT.values()]
    return Verdict(
        "reload",
        {
            "changes of version": len(changes["statuses"]),
            "versions served": sorted(served),
            "answers by status": answers.counts(),
            "mixed answers": mixed,
            "ms": times(answers.of(200)),
            "a change took, s": {"p50": changes["p50"], "max": changes["max"]},
            "refused": changes["refused"],
            "memory, MiB": [round(sizes[0], 1), round(max(sizes), 1), round(sizes[-1], 1)],
        },
        {
            "every change succeeds": set(changes["statuses"]) == {200},
            "no request fails": set(answers.status) == {200},
            "several versions are served": len(served) > 1,
            "no answer mixes versions": mixed == 0,
            **{f"{name} is refused, the old goes on": changes["refused"].get(name) == "refused" for name in SPOILT},
            "each refusal is counted": all(
                counted[cause] - before[cause] == refusals.count(cause) for cause in set(refusals)
            ),
            "a rollback under load succeeds": changes["rolled back"],
        },
    )


def _alone(service: Service, version: int, body: bytes) -> dict[str, Any]:
    answer = httpx.post(f"{service.url}/admin/reload", json={"version": version}, headers=KEYED, timeout=60)
    answer.raise_for_status()
    ranking = service.ranking(body)
    assert ranking["model_version"] == version, ranking["model_version"]
    return ranking


async def _changes(service: Service, seconds: float, every: float) -> dict[str, Any]:
    """Reload versions in turn, with a broken one now and then; finally roll back."""
    statuses: list[int] = []
    took: list[float] = []
    refused: dict[str, str] = {}
    wanted, faults, number = itertools.cycle([*VERSIONS[1:], VERSIONS[0]]), iter(SPOILT.items()), 100
    begun = time.monotonic()
    async with httpx.AsyncClient(base_url=service.url, headers=KEYED, timeout=60) as admin:
        while (due := begun + every * len(statuses)) < begun + seconds - 1:
            await asyncio.sleep(max(due - time.monotonic(), 0))
            asked = time.monotonic()
            answer = await admin.post("/admin/reload", json={"version": next(wanted)})
            statuses.append(answer.status_code)
            took.append(time.monotonic() - asked)
            for name, (spoil, _) in itertools.islice(faults, 1):
                number += 1
                refused[name] = await _refused(service, admin, number, spoil)
        for name, (spoil, _) in faults:
            number += 1
            refused[name] = await _refused(service, admin, number, spoil)
        back = await admin.post("/admin/rollback")
    return {
        "statuses": statuses,
        "p50": round(float(np.median(took)), 2),
        "max": round(max(took), 2),
        "refused": refused,
        "rolled back": back.status_code == 200,
    }


async def _refused(service: Service, admin: httpx.AsyncClient, number: int, spoil: Callable[[Path], None]) -> str:
    """``refused`` if a broken version is refused with a reason and the current one stays; else what happened."""
    before = await _version(admin)
    await asyncio.to_thread(spoilt, service.root, number, spoil)
    try:
        answer = await admin.post("/admin/reload", json={"version": number})
        after = await _version(admin)
    finally:
        shutil.rmtree(service.root / str(number))
    told = answer.status_code == 409 and answer.json()["detail"][0]["reason"]
    return "refused" if told and after == before else f"{answer.status_code}: {answer.text[:200]}; serves {after}"


async def _version(admin: httpx.AsyncClient) -> int:
    """The served version of the only model."""
    (state,) = (await admin.get("/admin/status")).json()["models"].values()
    version: int = state["version"]
    return version


def _is_of_one(content: bytes, alone: dict[int, dict[str, Any]]) -> bool:
    """Whether an answer equals its version's recorded answer."""
    got = orjson.loads(content)
    expected = alone[got["model_version"]]
    if (
        got["ids"] != expected["ids"]
        or got["fusion"] != expected["fusion"]
        or got["scores"].keys() != expected["scores"].keys()
    ):
        return False
    columns = [(got["fused"], expected["fused"]), *((got["scores"][t], expected["scores"][t]) for t in got["scores"])]
    return all(np.allclose(a, b, rtol=EQUAL, atol=EQUAL) for a, b in columns)
