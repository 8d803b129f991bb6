"""The cost of a scorer on the CPU: requests/s and p50 of services with and without one, in turn on one machine.

All services run at once, and load goes to one after the other, round by round, so that they see the same state of the
machine. Medians over rounds, and of the paired ratios to the service without a scorer. Processor time, of all processes
of a service, tells the cost of the hop on a machine that others use too.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.serving_setup import artifact_of, request_of
from benchmarks.under_fire.client import Client
from serving.process.procfs import activity
from tests.serving.server_process import free_port, ready, server_process

SERVICES = {
    "in the worker": {"scorer": "off", "concurrency": 2},
    "scorer, 1 thread": {"scorer": "on", "concurrency": 1},
    "scorer, 2 threads": {"scorer": "on", "concurrency": 2},
}
"""Settings by name; ``concurrency`` are the worker's threads."""


def main(
    folder: Annotated[Path, typer.Option(help="Where the benchmarks' models are, or will be.")] = Path("runs/models"),
    size: Annotated[str, typer.Option(help="large or small.")] = "large",
    workers: Annotated[int, typer.Option(min=1, help="Worker processes of each service.")] = 1,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a request.")] = 500,
    clients: Annotated[str, typer.Option(help="Numbers of clients, comma-separated.")] = "1,16",
    rounds: Annotated[int, typer.Option(min=1, help="Rounds.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of load on each service in a round.")] = 2,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print."""
    artifact = artifact_of(size, folder)
    body = orjson.dumps(request_of(candidates))
    counts = [int(count) for count in clients.split(",")]
    found: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    with contextlib.ExitStack() as stack:
        services = {
            name: stack.enter_context(_service(artifact.folder, workers, given)) for name, given in SERVICES.items()
        }
        for port, _ in services.values():
            asyncio.run(Client(port, body).closed(4, 1))
        for _ in range(rounds):
            for count in counts:
                for name, (port, pid) in services.items():
                    before = cpu_seconds(pid)
                    answers = asyncio.run(Client(port, body).closed(count, seconds))
                    if set(answers.status) != {200}:
                        raise SystemExit(f"error: {name}: answers by status: {answers.counts()}")
                    times, spent = answers.of(200), cpu_seconds(pid) - before
                    entry = len(times) / seconds, float(np.median(times)), spent / len(times) * 1e3
                    found.setdefault((name, count), []).append(entry)
    rows = [_row(name, count, found) for count in counts for name in SERVICES]
    table = Table(title=f"{size}, {candidates} candidates, {workers} worker(s), {rounds} rounds of {seconds:g} s")
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2))


def _row(name: str, count: int, found: dict[tuple[str, int], list[tuple[float, float, float]]]) -> dict[str, Any]:
    base, own = np.array(found[next(iter(SERVICES)), count]), np.array(found[name, count])
    median, ratios = np.median(own, axis=0), np.median(own / base, axis=0)
    return {
        "engine": name,
        "clients": count,
        **{key: round(float(v), 2) for key, v in zip(("requests/s", "p50 ms", "CPU ms"), median, strict=True)},
        **{f"{key}, ratio": round(float(v), 3) for key, v in zip(("requests/s", "p50", "CPU"), ratios, strict=True)},
    }


def cpu_seconds(pid: int) -> float:
    """Processor time of a process and its living children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = activity(pid)
    return (0.0 if own is None else own.seconds) + sum(cpu_seconds(int(child)) for child in children)


@contextlib.contextmanager
def _service(artifact: Path, workers: int, given: Mapping[str, object]) -> Iterator[tuple[int, int]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"max_in_flight": 64, "drain": 0, **given}
    with server_process(
        artifact, "--port", port, "--workers", workers, settings=settings, is_up=lambda: ready(url), stderr=None
    ) as process:
        yield port, process.pid


if __name__ == "__main__":
    typer.run(main)
