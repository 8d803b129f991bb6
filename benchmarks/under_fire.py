"""The service under fire: overload, reloads, killed workers, SIGTERM, hours of load. One command each.

A real server is started on a copy of the artifact, and asked by a client in this process. Every command prints what it
measured and ends with 1 where a bound does not hold.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import orjson
import typer

from benchmarks.fire_client import Answers, Client
from ranker.artifact import digest, load, locate

app = typer.Typer(add_completion=False, help=__doc__)
ARTIFACT = Annotated[Path, typer.Argument(help="An artifact, or a folder of versions.")]
SECONDS = Annotated[float, typer.Option(help="How long.")]
CANDIDATES = Annotated[int, typer.Option(help="Candidates a request.")]
WORKERS = Annotated[int, typer.Option(help="Worker processes.")]
PORT = 8097
ADMIN = "a key for the benchmark only"


@app.command()
def overload(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    in_flight: Annotated[int, typer.Option(help="Requests a worker holds.")] = 8,
    times: Annotated[float, typer.Option(help="Offered load over capacity.")] = 4,
) -> None:
    """Offer several times what can be done: accepted ones stay fast, the rest is told at once."""
    with started(artifact, workers, max_in_flight=in_flight) as (root, server):
        body = body_of(root, candidates)
        asyncio.run(Client(PORT, body).closed(in_flight * workers, 2))
        full = asyncio.run(Client(PORT, body).closed(in_flight * workers, max(seconds / 4, 3)))
        capacity = len(full.of(200)) / max(seconds / 4, 3)
        asyncio.run(Client(PORT, body).offered(times * capacity, max(seconds / 10, 2)))
        before = memory(server.pid)
        answers = asyncio.run(Client(PORT, body).offered(times * capacity, seconds))
        after = memory(server.pid)
        first = httpx.post(f"http://127.0.0.1:{PORT}/rank", content=body).status_code
    accepted, refused, unloaded = answers.of(200), answers.of(503), full.of(200)
    print(f"capacity {capacity:.0f}/s at {in_flight * workers} in flight: {quantiles(unloaded)}")
    print(f"offered {times * capacity:.0f}/s for {seconds:g} s: {answers.counts()}")
    print(f"accepted {quantiles(accepted)}; refused {quantiles(refused)}; memory {before:.0f} -> {after:.0f} MiB")
    require(
        {
            "accepted p99 under twice that at full concurrency": p99(accepted) < 2 * p99(unloaded),
            "refusals within 50 ms (p99)": len(refused) == 0 or p99(refused) < 50,
            "nothing but 200 and 503": set(answers.status) <= {200, 503},
            "memory grows by less than 5 %": after < 1.05 * before,
            "the first request after it succeeds": first == 200,
        }
    )


@app.command("reload")
def reloads(
    artifact: ARTIFACT,
    seconds: SECONDS = 60,
    candidates: CANDIDATES = 500,
    workers: WORKERS = 1,
    every: Annotated[float, typer.Option(help="Seconds between reloads.")] = 2,
) -> None:
    """Change the version again and again under load: no request fails, and none mixes two versions."""
    with started(artifact, workers) as (root, server):
        client = Client(PORT, body_of(root, candidates), read=True)
        before = memory(server.pid)

        async def change() -> list[int]:
            statuses, end, version = [], time.monotonic() + seconds - 1, 1
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN}"}, timeout=60) as admin:
                while time.monotonic() < end:
                    version += 1
                    await asyncio.to_thread(another, root, version)
                    answer = await admin.post(f"http://127.0.0.1:{PORT}/admin/reload", json={"version": version})
                    statuses.append(answer.status_code)
                    await asyncio.sleep(every)
            return statuses

        async def both() -> tuple[Answers, list[int]]:
            return await asyncio.gather(client.closed(4, seconds), change())

        answers, changes = asyncio.run(both())
        after = memory(server.pid)
    print(f"{len(changes)} reloads, {answers.counts()}, {quantiles(answers.of(200))}, versions {len(answers.rankings)}")
    print(f"memory {before:.0f} -> {after:.0f} MiB")
    require(
        {
            "every reload succeeds": set(changes) == {200},
            "no request fails": set(answers.status) == {200},
            "one ranking a version": all(len(found) == 1 for found in answers.rankings.values()),
        }
    )


@app.command()
def kill(artifact: ARTIFACT, seconds: SECONDS = 20, candidates: CANDIDATES = 500) -> None:
    """Kill one of two workers every five seconds: at most what it had in flight is lost."""
    with started(artifact, 2) as (root, _):
        client = Client(PORT, body_of(root, candidates))

        async def killing() -> int:
            killed = 0
            for _ in range(int(seconds / 5)):
                await asyncio.sleep(3)
                os.kill(int(next(iter(status()["workers"]))), signal.SIGKILL)
                killed += 1
                await asyncio.sleep(2)
            return killed

        async def both() -> tuple[Answers, int]:
            return await asyncio.gather(client.closed(4, seconds), killing())

        answers, killed = asyncio.run(both())
    good = [end for end, got in zip(answers.ended, answers.status, strict=True) if got == 200]
    gap = float(np.max(np.diff(sorted(good))))
    print(f"{killed} killed, {answers.counts()}, longest time without an answer {gap:.2f} s")
    require({"lost at most what was in flight": answers.status.count(0) <= 4 * killed, "within 2 s": gap < 2})


@app.command()
def soak(artifact: ARTIFACT, seconds: SECONDS = 600, candidates: CANDIDATES = 500, workers: WORKERS = 1) -> None:
    """80 % of capacity for ten minutes: no error, and no growth of memory."""
    with started(artifact, workers) as (root, server):
        body = body_of(root, candidates)
        full = asyncio.run(Client(PORT, body).closed(4, 10))
        rate = 0.8 * len(full.of(200)) / 10
        asyncio.run(Client(PORT, body).offered(rate, min(30, seconds / 4)))
        before = memory(server.pid)
        answers = asyncio.run(Client(PORT, body).offered(rate, seconds))
        after = memory(server.pid)
    print(f"{rate:.0f}/s for {seconds:g} s: {answers.counts()}, {quantiles(answers.of(200))}")
    print(f"memory {before:.1f} -> {after:.1f} MiB")
    require({"no error": set(answers.status) == {200}, "memory grows by less than 1 %": after < 1.01 * before})


@contextlib.contextmanager
def started(artifact: Path, workers: int, **settings: object) -> Iterator[tuple[Path, "subprocess.Popen[bytes]"]]:
    """Run a server on a copy of the artifact, as version 1 of a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(locate(artifact), root / "1", ignore=shutil.ignore_patterns("saved_model"))
        manifest = orjson.loads((root / "1" / "manifest.json").read_bytes())
        manifest["files"] = {n: d for n, d in manifest["files"].items() if not n.startswith("saved_model/")}
        (root / "1" / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 1}))
        given = {"admin_keys": ADMIN, "drain": 0, **settings}
        environment = {**os.environ, **{f"RANKER_SERVE_{k.upper()}": str(v) for k, v in given.items()}}
        command = [sys.executable, "-c", "from serving.cli import app; app()", str(root), "--port", str(PORT)]
        server = subprocess.Popen(
            [*command, "--workers", str(workers)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            for _ in range(600):
                with contextlib.suppress(httpx.TransportError):
                    if len(status()["workers"]) == workers:
                        break
                time.sleep(0.1)
            else:
                raise typer.Exit("the server did not become ready")
            yield root, server
        finally:
            server.terminate()
            server.wait(timeout=60)


def status() -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    found: dict[str, Any] = httpx.get(f"http://127.0.0.1:{PORT}/admin/status", headers=headers).json()
    return found


def body_of(root: Path, candidates: int) -> bytes:
    """Repeat the first golden request's candidates until there are enough."""
    golden = load(root).golden[0]
    columns = {
        name: (values * (candidates // len(values) + 1))[:candidates] for name, values in golden.candidates.items()
    }
    return orjson.dumps({"context": golden.context, "candidates": columns})


def another(root: Path, version: int) -> None:
    """Version 1 again, under another number and with another share of its first objective, so that answers differ."""
    folder = root / f".{version}"
    shutil.copytree(root / "1", folder)
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    fusion = orjson.loads((folder / "fusion.json").read_bytes())
    fusion["default"]["options"] |= {
        "parameters": {"share": {manifest["tasks"][0]: 1 + version / 10}},
        "name": "additive",
    }
    (folder / "fusion.json").write_bytes(orjson.dumps(fusion))
    manifest["files"]["fusion.json"] = digest(folder / "fusion.json")
    (folder / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": version}))
    folder.rename(root / str(version))


def memory(pid: int) -> float:
    """Resident MiB of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(own.split()[1]) / 1024 + sum(memory(int(child)) for child in children)


def p99(values: np.ndarray) -> float:
    return float(np.quantile(values, 0.99)) if len(values) else float("nan")


def quantiles(values: np.ndarray) -> str:
    return f"p50 {np.quantile(values, 0.5):.1f} ms, p99 {p99(values):.1f} ms" if len(values) else "none"


def require(bounds: dict[str, bool]) -> None:
    for bound, holds in bounds.items():
        print(f"{'holds' if holds else 'FAILS'}: {bound}")
    if not all(bounds.values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
