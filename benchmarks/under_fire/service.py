"""A real server on a copy of an artifact, and its observation from outside."""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson

from ranker.artifact import load, locate
from tests.serving.server_process import Process, server_process

PORT = 8097
URL = f"http://127.0.0.1:{PORT}"
ADMIN = "a key for the benchmark only"
KEYED = {"Authorization": f"Bearer {ADMIN}"}


@dataclass(frozen=True)
class Service:
    """A server process and its folder of versions."""

    root: Path
    process: Process
    url: str = URL

    def status(self) -> dict[str, Any]:
        """Content of ``/admin/status``."""
        return _status()

    def ranking(self, body: bytes) -> dict[str, Any]:
        """The answer to one request. Raises ``httpx.HTTPStatusError`` if it fails."""
        answer = httpx.post(f"{self.url}/rank", content=body, headers={"Content-Type": "application/json"}, timeout=30)
        ranking: dict[str, Any] = answer.raise_for_status().json()
        return ranking

    def metric(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples with the labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = httpx.get(f"{self.url}/metrics", headers=KEYED).text.splitlines()
        found = [
            line for line in lines if line.startswith((f"{name}{{", f"{name} ")) and all(w in line for w in wanted)
        ]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def memory(self) -> float:
        """Resident MiB of the process and its children."""
        return _memory(self.process.pid)


@contextlib.contextmanager
def started(
    artifact: Path, workers: int = 1, prepare: Callable[[Path], object] | None = None, **settings: object
) -> Iterator[Service]:
    """Run a server on a copy of the artifact, as version 1 of a new folder, until the block ends.

    ``prepare`` may add to the folder before the server starts.
    """
    with tempfile.TemporaryDirectory(prefix="under-fire-") as folder:
        root = Path(folder)
        shutil.copytree(locate(artifact), root / "1", ignore=shutil.ignore_patterns("saved_model"))
        manifest = orjson.loads((root / "1" / "manifest.json").read_bytes())
        manifest["files"] = {n: d for n, d in manifest["files"].items() if not n.startswith("saved_model/")}
        (root / "1" / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 1}))
        if prepare is not None:
            prepare(root)
        given = {"admin_keys": ADMIN, "drain": 0, **settings}
        with (
            (root / ".log").open("w+b") as log,
            server_process(
                *arguments(root, workers),
                settings=given,
                is_up=lambda: len(_status()["workers"]) == workers,
                stderr=log,
            ) as process,
        ):
            yield Service(root, process)


@contextlib.contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Set the temporary folder of servers started in the block, but not of this process."""
    tempfile.gettempdir()
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)


def arguments(root: Path, workers: int = 1) -> list[str]:
    """Arguments of the command that starts a server."""
    return [str(root), "--port", str(PORT), "--workers", str(workers)]


def _status() -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{URL}/admin/status", headers=KEYED).json()
    return found


def body_of(service: Service, candidates: int) -> bytes:
    """A request with a given number of candidates: those of the first golden request, repeated."""
    golden = load(service.root / "1").golden[0]
    columns = {
        name: (values * (candidates // len(values) + 1))[:candidates] for name, values in golden.candidates.items()
    }
    return orjson.dumps({**({"context": golden.context} if golden.context else {}), "candidates": columns})


@contextlib.asynccontextmanager
async def watched(service: Service, every: float = 0.5) -> AsyncIterator[list[float]]:
    """Sample resident MiB while the block runs."""
    found = [service.memory()]

    async def look() -> None:
        while True:
            await asyncio.sleep(every)
            found.append(service.memory())

    looking = asyncio.create_task(look())
    try:
        yield found
    finally:
        looking.cancel()
        found.append(service.memory())


def growth(sizes: list[float]) -> float:
    """Relative growth from the median of the first fifth to that of the last: 0.01 is 1 %."""
    fifth = max(len(sizes) // 5, 1)
    return float(np.median(sizes[-fifth:]) / np.median(sizes[:fifth]) - 1)


def _memory(pid: int) -> float:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it ended between two samples
        return 0.0
    own = next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)
    return own / 1024 + sum(_memory(int(child)) for child in children)
