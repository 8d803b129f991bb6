"""A runtime folder on a small disk: with too many items, and completely full."""

import contextlib
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.under_fire.meanwhile import meanwhile
from benchmarks.under_fire.service import Service, arguments, started, temporary_files_in
from benchmarks.under_fire.verdict import Verdict
from ranker.artifact import Artifact, load, locate
from ranker.files import replacing
from tests.serving.server_process import COMMAND, environment

SIZE = 8 * 2**20
FEW, SOME, MANY = 1000, 2000, 1_000_000
"""Numbers of items: at the start, after a refresh, and too many for the disk."""
LABELS = 200
"""Requests that each name another fusion, so that each needs new metric labels."""


def space(artifact: Path, candidates: int) -> Verdict:
    """Load too many items at the start and on a refresh; then fill the disk, kill a worker, and free space again.

    Mounts a file system in memory. Raises ``PermissionError`` if the user may not.
    """
    read = load(locate(artifact))
    _id_column(read)
    with tempfile.TemporaryDirectory(prefix="under-fire-") as folder, small_disk(Path(folder) / "disk") as disk:
        file = Path(folder) / "items.parquet"
        _write(read, MANY, file)
        measured, bounds = _too_many_at_start(artifact, file)
        _write(read, FEW, file)
        with started(artifact, 2, items=file, watch=0.2) as service:
            more, held = _full(service, read, disk, file, candidates)
        left = sorted(entry.name for entry in disk.iterdir())
    return Verdict("space", {**measured, **more}, {**bounds, **held, "a service that ends leaves nothing": not left})


def _too_many_at_start(artifact: Path, items: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    command = [*COMMAND, *arguments(locate(artifact))]
    given = environment({"items": items})
    ended = subprocess.run(command, env=given, capture_output=True, text=True, timeout=300, check=False)
    said = ended.stderr.strip()
    return (
        {f"start with {MANY:,} items: exit status": ended.returncode, "and its last words": said},
        {
            "a start without room ends with 1 and one line": ended.returncode == 1
            and said.count("\n") == 0
            and "no room" in said
        },
    )


def _full(
    service: Service, artifact: Artifact, disk: Path, file: Path, candidates: int
) -> tuple[dict[str, Any], dict[str, bool]]:
    known, fresh = _body(artifact, range(candidates)), _body(artifact, [FEW])
    workers = set(service.status()["workers"])
    with meanwhile(service, known) as watched:
        _write(artifact, MANY, file)
        _until("items are refused", lambda: _refusals(service) > 0)
        refused_large = _refusals(service)
        filler = fill(disk)
        _write(artifact, SOME, file)
        _until("items are refused on a full disk", lambda: _refusals(service) > refused_large)
        statuses = [_status(service, known, fusion={"name": f"none {i}"}) for i in range(LABELS)]
        answers = [_status(service, known) for _ in range(LABELS)]
        same = set(service.status()["workers"]) == workers
        unknown = service.ranking(fresh)["unknown_ids"]
        os.kill(int(min(workers, key=int)), signal.SIGKILL)
        begun = time.monotonic()
        _until("a killed worker is replaced", lambda: str(service.status()["answered_by"]) not in workers)
        replaced = time.monotonic() - begun
        after_death = [_status(service, known) for _ in range(LABELS)]
        filler.unlink()
        begun = time.monotonic()
        _until("new items are served", lambda: all(not service.ranking(fresh)["unknown_ids"] for _ in range(8)))
        taken = time.monotonic() - begun
    return (
        {
            "items refused for want of room": int(refused_large),
            "answers on a full disk, by status": _counts(answers + after_death),
            "refusals with new labels, by status": _counts(statuses),
            "a killed worker is replaced after, s": round(replaced, 2),
            "with room again new items are served after, s": round(taken, 2),
            **watched.measured(),
        },
        {
            "too many items are refused and counted": refused_large > 0,
            "a full disk costs no answer": {*answers, *after_death} == {200} and {*statuses} == {422},
            "a full disk costs no worker": same,
            "the old items go on": len(unknown) == 1,
            "with room again new items are served within 10 s": taken < 10,
            **watched.bounds(),
        },
    )


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Mount a small disk for the temporary files of servers started in the block."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    ended = subprocess.run(mount, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise PermissionError(f"a small disk cannot be mounted ({ended.stderr.strip()}): run this as root")
    try:
        with temporary_files_in(folder):
            yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk completely."""
    file, size = disk / "filler", 2**20
    with file.open("ab", buffering=0) as handle:
        while size:
            try:
                handle.write(bytes(size))
            except OSError:
                size //= 2
    return file


def _write(artifact: Artifact, count: int, file: Path) -> None:
    """Write items: those of the first golden request, repeated with distinct ids."""
    golden = artifact.golden[0].candidates
    column = _id_column(artifact)
    table = pa.table({name: values for name, values in golden.items() if name != column})
    rows = table.take(np.arange(count) % len(table))
    table = rows.append_column(column, pa.array(_ids(artifact, range(count))))
    with replacing(file) as partial:
        pq.write_table(table, partial)


def _id_column(artifact: Artifact) -> str:
    """The column of the candidates' ids. Raises ``ValueError`` if the schema has none."""
    if artifact.schema.candidate_id is None:
        raise ValueError("the artifact's schema has no candidate_id, so it cannot have items")
    return artifact.schema.column(artifact.schema.candidate_id)


def _ids(artifact: Artifact, numbers: Iterable[int]) -> list[Any]:
    of_text = isinstance(artifact.golden[0].candidates[_id_column(artifact)][0], str)
    return [f"item {number}" for number in numbers] if of_text else list(numbers)


def _body(artifact: Artifact, numbers: Iterable[int]) -> bytes:
    ids = {_id_column(artifact): _ids(artifact, numbers)}
    return orjson.dumps({"context": artifact.golden[0].context, "candidates": ids})


def _refusals(service: Service) -> float:
    return service.metric("ranker_reloads_total", outcome="items")


def _status(service: Service, body: bytes, **more: object) -> int:
    content = orjson.dumps({**orjson.loads(body), **more})
    headers = {"Content-Type": "application/json"}
    return httpx.post(f"{service.url}/rank", content=content, headers=headers, timeout=30).status_code


def _until(what: str, holds: Callable[[], bool]) -> None:
    for _ in range(600):
        with contextlib.suppress(httpx.TransportError):
            if holds():
                return
        time.sleep(0.1)
    raise TimeoutError(f"waited a minute in vain until {what}")


def _counts(statuses: list[int]) -> dict[int, int]:
    return {status: len([*group]) for status, group in itertools.groupby(sorted(statuses))}
