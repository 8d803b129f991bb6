"""The exposure log under overload, SIGTERM, SIGKILL, a full disk and a slow one: what the docs promise holds.

Requests are counted by the client and in the log: every one that got a 200 is in the log once, with all of its rows, or
is one that the docs say may be missing.
"""

import asyncio
import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.under_fire.client import Answers, Client
from benchmarks.under_fire.service import PORT, Service, body_of, started
from benchmarks.under_fire.space import fill, small_disk
from benchmarks.under_fire.verdict import Verdict, times
from ranker.exposures import open_files, read_log, recover, request_starts

PLACES = 20
"""Candidates of an answer."""
FLUSH = 1.0
"""Seconds between writes, as by default."""
SLACK = 1.0
"""Seconds that a write may take on a machine that others use, too."""
SLOW = 2.0
"""Seconds of each write to a slow disk."""
QUEUE = 2**16
"""Bytes of a queue that is soon full."""

SLOW_WRITES = """
import os, time
write = os.write
def slow(descriptor, content):
    if os.path.exists({mark!r}) and os.readlink(f"/proc/self/fd/{{descriptor}}").startswith({folder!r}):
        time.sleep({seconds})
    return write(descriptor, content)
os.write = slow
"""
"""Makes every write to the log's streams take its time; other threads run meanwhile, as in a write to a slow disk."""


@dataclass
class Found:
    """Measurements and requirements, by situation."""

    measured: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, bool] = field(default_factory=dict)

    def add(self, situation: str, measured: dict[str, Any], bounds: dict[str, bool]) -> None:
        """Add those of a situation."""
        self.measured |= {f"{situation}: {name}": value for name, value in measured.items()}
        self.bounds |= {f"{situation}: {name}": value for name, value in bounds.items()}


def exposures(artifact: Path, seconds: float, candidates: int) -> Verdict:
    """Run all situations. The full disk is a file system in memory: raises ``PermissionError`` without the right."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="under-fire-") as folder:
        root = Path(folder)
        _overload(found, artifact, root / "overload", seconds, candidates)
        _term(found, artifact, root / "term", seconds, candidates)
        _kill(found, artifact, root / "kill", seconds, candidates)
        _slow(found, artifact, root, seconds, candidates)
        with small_disk(root / "disk") as disk:
            _full(found, artifact, disk, seconds, candidates)
    return Verdict("exposures", found.measured, found.bounds)


def _overload(found: Found, artifact: Path, log: Path, seconds: float, candidates: int) -> None:
    with started(artifact, max_in_flight=8, exposures=log) as service:
        body = _body(service, candidates)
        capacity = len(asyncio.run(Client(PORT, body).closed(8, 3)).of(200))
        answers = asyncio.run(Client(PORT, body).offered(4 * capacity / 3, seconds))
        dropped = service.metric("ranker_exposures_dropped_total")
    answered = capacity + len(answers.of(200))
    requests, whole = counted(log)
    found.add(
        "overload",
        {"answered, refused, logged": [answered, len(answers.of(503)), requests], "dropped": dropped},
        {"every answer is logged once, and nothing else": requests == answered and whole and not dropped},
    )


def _term(found: Found, artifact: Path, log: Path, seconds: float, candidates: int) -> None:
    with started(artifact, 2, exposures=log, exposures_flush=60, drain=1) as service:
        body = _body(service, candidates)
        answers = asyncio.run(_until(service, Client(PORT, body), seconds / 2, signal.SIGTERM))
        service.process.wait(60)
    requests, whole = counted(log)
    answered = len(answers.of(200))
    found.add(
        "SIGTERM",
        {"answered, logged": [answered, requests]},
        {
            "nothing is lost, though nothing was written before": answered <= requests and whole,
            "no stream is left": not open_files(log),
        },
    )


def _kill(found: Found, artifact: Path, log: Path, seconds: float, candidates: int) -> None:
    start = partial(started, artifact, exposures=log, exposures_flush=FLUSH)
    lost, late, unseen = 0, 0, 0
    for _ in range(3):
        before, _ = counted(log)
        with start() as service:
            body = _body(service, candidates)
            answers = asyncio.run(_until(service, Client(PORT, body), seconds / 3, signal.SIGKILL))
            killed = time.monotonic()
        unseen += bool(open_files(log))
        with start():
            _wait(lambda: not open_files(log))
        after, whole = counted(log)
        ended = np.array(answers.ended)[np.array(answers.status) == 200]
        lost += max(len(ended) - (after - before), 0)
        late += int((ended > killed - FLUSH - SLACK).sum())
    found.add(
        "SIGKILL",
        {"kills": 3, "answered and lost": lost, f"answered within {FLUSH + SLACK:g} s of the end": late},
        {
            "a stream was left each time": unseen == 3,
            f"lost is at most what was answered in the last {FLUSH:g} s and a write": lost <= late,
            "the next service has the rest, once and whole": whole,
        },
    )


def _slow(found: Found, artifact: Path, root: Path, seconds: float, candidates: int) -> None:
    log, mark = root / "slow", root / "slow.mark"
    with (
        _hook(root, SLOW_WRITES.format(mark=str(mark), folder=str(log), seconds=SLOW)),
        started(artifact, exposures=log, exposures_queue_bytes=QUEUE, exposures_flush=FLUSH / 10) as service,
    ):
        body = _body(service, candidates)
        quick = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        mark.touch()
        slow = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        queue = service.metric("ranker_exposures_queue_bytes")
        mark.unlink()
        again = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        _wait(lambda: service.metric("ranker_exposures_queue_bytes") == 0)
        dropped = int(service.metric("ranker_exposures_dropped_total"))
    answered = sum(len(answers.of(200)) for answers in (quick, slow, again))
    requests, whole = counted(log)
    measured = {name: times(a.of(200)) for name, a in (("before", quick), ("meanwhile", slow), ("after", again))}
    found.add(
        "slow disk",
        {
            f"ms, each write takes {SLOW:g} s meanwhile": measured,
            "answered, logged, dropped": [answered, requests, dropped],
            "queue at most, bytes": int(queue),
        },
        {
            "every request is answered": all({*a.status} == {200} for a in (quick, slow, again)),
            "no answer waits for the disk": measured["meanwhile"]["p99"] < 2 * measured["before"]["p99"] + 20,
            "the queue keeps its bound": queue <= QUEUE,
            "every answer is logged once, or counted as dropped": requests + dropped == answered and whole,
        },
    )


def _full(found: Found, artifact: Path, disk: Path, seconds: float, candidates: int) -> None:
    log = disk / "log"
    with started(artifact, exposures=log, exposures_flush=FLUSH / 10) as service:
        body = _body(service, candidates)
        before = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        filler = fill(disk)
        full = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        said = (service.root / ".log").read_text().count('"event":"exposures not written"')
        filler.unlink()
        after = asyncio.run(Client(PORT, body).closed(4, seconds / 3))
        _wait(lambda: service.metric("ranker_exposures_queue_bytes") == 0)
        dropped = int(service.metric("ranker_exposures_dropped_total"))
    answered = sum(len(answers.of(200)) for answers in (before, full, after))
    recover(log)
    requests, whole = counted(log)
    found.add(
        "full disk",
        {
            "answered, logged, dropped": [answered, requests, dropped],
            "ms before, full, after": [times(a.of(200)) for a in (before, full, after)],
            "warnings": said,
        },
        {
            "every request is answered": all({*a.status} == {200} for a in (before, full, after)),
            "it is told, and not again and again": 1 <= said <= 3,
            "every answer is logged once, or counted as dropped": requests + dropped == answered and whole,
            "the queue lasts": not dropped,
        },
    )


def counted(log: Path) -> tuple[int, bool]:
    """Number of requests in a log, and whether each is there once, with all of its rows."""
    requests, whole = 0, True
    ids: set[str] = set()
    for _, table in read_log(log, ["request_id", "place"]):
        starts = request_starts(table)
        requests += len(starts)
        ids.update(table.column("request_id").take(starts).to_pylist())
        whole &= bool((np.diff(starts, append=table.num_rows) == PLACES).all())
    return requests, whole and len(ids) == requests


def _body(service: Service, candidates: int) -> bytes:
    return orjson.dumps({**orjson.loads(body_of(service, max(candidates, PLACES))), "top_k": PLACES})


async def _until(service: Service, client: Client, seconds: float, number: signal.Signals) -> Answers:
    """Load until a while after the service got a signal."""
    stop = asyncio.Event()
    loading = asyncio.create_task(client.closed(4, 0, stop))
    await asyncio.sleep(seconds)
    service.process.send_signal(number)
    await asyncio.sleep(0 if number == signal.SIGKILL else 0.5)
    stop.set()
    return await loading


@contextlib.contextmanager
def _hook(root: Path, program: str) -> Iterator[None]:
    """Run a program at the start of every Python that is started in the block."""
    folder = root / "python"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(program)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder), before]))
    try:
        yield
    finally:
        os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def _wait(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise TimeoutError("waited a minute in vain for the log")
