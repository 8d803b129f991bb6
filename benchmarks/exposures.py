"""The cost of the exposure log: requests/s and processor time a request of services with and without it, in turn.

All services run at once, and load goes to one after the other, round by round and in turning order, so that they see
the same state of the machine. Medians over rounds of the paired ratios to the service without a log; processor time, of
all processes of a service, tells the cost on a machine that others use too. The time for converting finished files is
included: they are rolled within each round.
"""

import asyncio
import contextlib
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.scorer_hop import cpu_seconds
from benchmarks.serving_setup import artifact_of, request_of
from benchmarks.under_fire.client import Client
from ranker.exposures import exposure_files
from tests.serving.server_process import free_port, ready, server_process

WITHOUT = "no log"
LOGS: dict[str, dict[str, object]] = {
    WITHOUT: {},
    "ids": {"exposures_features": "ids"},
    "all features": {"exposures_features": "all"},
}
"""Settings of the log by name."""


def main(
    folder: Annotated[Path, typer.Option(help="Where the benchmarks' models are, or will be.")] = Path("runs/models"),
    size: Annotated[str, typer.Option(help="large or small.")] = "large",
    candidates: Annotated[int, typer.Option(min=1, help="Candidates a request.")] = 500,
    places: Annotated[int, typer.Option(min=1, help="top_k of one kind of request; the other returns all.")] = 20,
    clients: Annotated[int, typer.Option(min=1, help="Number of clients.")] = 4,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds.")] = 9,
    seconds: Annotated[float, typer.Option(min=0.5, help="Seconds of load on each service in a round.")] = 3,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print."""
    artifact = artifact_of(size, folder)
    plain = request_of(candidates)
    bodies = {f"top {places}": orjson.dumps({**plain, "top_k": places}), "all": orjson.dumps(plain)}
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="exposures-")))
        services = {
            (log, kind): stack.enter_context(_service(artifact.folder, root / f"{log} {kind}", LOGS[log], seconds))
            for log in LOGS
            for kind in bodies
        }
        for (_, kind), (port, _) in services.items():
            asyncio.run(Client(port, bodies[kind]).closed(4, 1))
        for number in range(rounds):
            for kind, body in bodies.items():
                for log in list(LOGS)[number % len(LOGS) :] + list(LOGS)[: number % len(LOGS)]:
                    found.setdefault((log, kind), []).append(_measured(*services[log, kind], body, clients, seconds))
    rows = [_row(log, kind, found) for kind in bodies for log in LOGS]
    table = Table(title=f"{size}, {candidates} candidates, {clients} clients, {rounds} rounds of {seconds:g} s")
    for column in rows[0]:
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=160).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2))


def _measured(port: int, pid: int, body: bytes, clients: int, seconds: float) -> tuple[float, float, float]:
    """Requests/s, median milliseconds, and milliseconds of processor time a request, that of its log included."""
    before = cpu_seconds(pid)
    answers = asyncio.run(Client(port, body).closed(clients, seconds))
    asyncio.run(asyncio.sleep(2))  # the log's last file is finished
    if set(answers.status) != {200}:
        raise typer.Exit(f"answers by status: {answers.counts()}")
    times, spent = answers.of(200), cpu_seconds(pid) - before
    return len(times) / seconds, float(np.median(times)), spent / len(times) * 1e3


def _row(log: str, kind: str, found: dict[tuple[str, str], list[tuple[float, float, float]]]) -> dict[str, Any]:
    base, own = np.array(found[WITHOUT, kind]), np.array(found[log, kind])
    names = ("requests/s", "p50 ms", "CPU ms")
    median, ratios = np.median(own, axis=0), own / base
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75], axis=0)
    return {
        "returned": kind,
        "log": log,
        **{name: round(float(value), 2) for name, value in zip(names, median, strict=True)},
        **{
            f"{name}, ratio": f"{middle[i]:.3f} [{low[i]:.3f}, {high[i]:.3f}]"
            for i, name in enumerate(("requests/s", "p50", "CPU"))
        },
    }


@contextlib.contextmanager
def _service(artifact: Path, directory: Path, given: dict[str, object], seconds: float) -> Any:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = {"exposures": directory, "exposures_roll_seconds": max(seconds - 1, 1), **given} if given else {}
    with server_process(
        artifact,
        "--port",
        port,
        settings={"max_in_flight": 64, "drain": 0, **log},
        is_up=lambda: ready(url),
        stderr=None,
    ) as process:
        yield port, process.pid
    if given:
        files = [file.path for file in exposure_files(directory)]
        rows = sum(pq.read_metadata(file).num_rows for file in files)
        size = sum(file.stat().st_size for file in files)
        Console().print(f"{directory.name}: {rows:,} rows, {size / max(rows, 1):.1f} bytes a row in {len(files)} files")


if __name__ == "__main__":
    typer.run(main)
