"""Measures the service on a GPU: the engine, then requests over HTTP, beside other services and the CPU.

``prepare`` makes the models, which needs TensorFlow; ``measure`` does not, so that their folder can be carried to the
machine with the GPU. ``measure --device cpu`` runs without a GPU, to try the command.
"""

import os
import signal
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import versions, write_json
from benchmarks.serving_cuda.engine import of_artifact
from benchmarks.serving_peers import Contestant, answered, asked, message, running
from benchmarks.serving_setup import SIZES, artifact_of, by_id, request_of, write_items
from ranker.artifact import Artifact

FULL, BY_ID = "in full", "by id"
TOLERANCE = 1e-3
"""Largest difference of fused scores between services, and of golden scores between devices."""
BATCH = 16
"""Most requests that LitServe merges."""
CLIENT_PROCESSES = 4
ITEMS = "items.parquet"
app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

Folder = Annotated[Path, typer.Option(help="Folder of the models and the items.")]
FOLDER = Path("runs/serving_cuda")


@app.command()
def prepare(folder: Folder = FOLDER, candidates: int = 500) -> None:
    """Train the models for a few steps, and write the items."""
    for size in SIZES:
        artifact_of(size, folder)
    write_items(request_of(candidates), folder / ITEMS)


@app.command()
def measure(
    folder: Folder = FOLDER,
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the command.")] = "cuda",
    size: Annotated[list[str] | None, typer.Option(help="large, small; all by default.")] = None,
    workers: Annotated[int, typer.Option(help="Worker processes of each service; 0: one for two cores.")] = 0,
    clients: Annotated[str, typer.Option(help="Numbers of clients, comma-separated.")] = "1,32,64",
    candidates: Annotated[
        str, typer.Option(help="Candidates for the engine alone, comma-separated.")
    ] = "500,2000,10000",
    calls: Annotated[int, typer.Option(min=10, help="Calls of the engine.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each service.")] = 2,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 1.5,
    peers: Annotated[bool, typer.Option(help="Whether to measure LitServe and FastAPI, too.")] = True,
    peers_python: Annotated[Path, typer.Option(help="Python that has LitServe.")] = Path(sys.executable),
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print; exit with 1 if scores differ by more than 1e-3."""
    if device not in ("cpu", "cuda"):
        raise typer.BadParameter(f"device is cuda or cpu, got {device!r}")
    if not (folder / ITEMS).is_file():
        raise typer.BadParameter(f"{folder} lacks {ITEMS}: run `python -m benchmarks.serving_cuda prepare` first")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the services, too
    console = Console(log_path=False)
    results: list[dict[str, Any]] = []
    counts, numbers = ([int(part) for part in text.split(",")] for text in (clients, candidates))
    count = workers or max((os.cpu_count() or 2) // 2, 1)
    for name in size or SIZES:
        artifact = artifact_of(name, folder)
        console.log(f"{name}: the engine alone")
        alone = of_artifact(artifact, device, numbers, calls)
        show_engine(console, name, device, alone)
        rows = services(
            console, artifact, folder, device, count, counts, rounds, seconds, peers_python if peers else None
        )
        show_services(console, name, count, rows)
        results.append({"size": name, "engine": alone, "services": rows})
    if json_file is not None:
        packages = versions("numpy", "uvicorn", "fastapi")
        write_json(json_file, {"benchmark": "serving_cuda", "device": device, "versions": packages, "results": results})
    if not all(found["engine"]["worst golden difference"] <= TOLERANCE for found in results):
        raise typer.Exit(1)


def commands_of(artifact: Artifact, items: Path, device: str, workers: int, peers: Path | None) -> dict[str, list[str]]:
    """The command of each service, with the placeholder ``{port}``."""
    common = [str(artifact.folder), "--port", "{port}", "--workers", str(workers), "--threads", "1"]
    ours = [sys.executable, "-c", "from serving.cli import app; app()", *common]
    ours += ["--items", str(items), "--max-in-flight", "128", "--concurrency", "1"]
    commands = {
        f"ours, scorer on {device}": [*ours, "--device", device, "--engine", "onnxruntime", "--scorer", "on"],
        "ours, CPU, no scorer": [*ours, "--device", "cpu", "--scorer", "off"],
    }
    if peers is not None:
        peer = [str(peers), "-m"]
        commands["fastapi + onnx"] = [
            *peer,
            "benchmarks.peers.serving_fastapi",
            *common,
            "--model",
            "onnx",
            "--device",
            device,
        ]
        if peers != Path(sys.executable) or find_spec("litserve") is not None:
            batched = ["--device", device, "--batch", str(BATCH)]
            commands["litserve, batched"] = [*peer, "benchmarks.peers.serving_litserve", *common, *batched]
    return commands


def services(
    console: Console,
    artifact: Artifact,
    folder: Path,
    device: str,
    workers: int,
    clients: list[int],
    rounds: int,
    seconds: float,
    peers: Path | None,
) -> list[dict[str, Any]]:
    """Start all services, check that they rank alike, and load them in turn."""
    request = request_of(500)
    commands = commands_of(artifact, folder / ITEMS, device, workers, peers)
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    with ExitStack() as stack:
        bodies = {FULL: orjson.dumps(request), BY_ID: orjson.dumps(by_id(request))}
        there = Path(stack.enter_context(TemporaryDirectory()))
        messages = {kind: str(message(there / kind, body)) for kind, body in bodies.items()}
        loads = [
            stack.enter_context(asked([sys.executable, "-m", "benchmarks.serving_load"]))
            for _ in range(min(CLIENT_PROCESSES, max(clients)))
        ]
        started = []
        for name, command in commands.items():
            console.log(f"starting {name}")
            started.append(stack.enter_context(running(name, command, artifact, workers, 1)))
            check(started[0], started[-1], bodies)
            started[-1].pause()
        for number in range(-1, rounds):  # the first round is for warm-up
            console.log(f"round {number + 1} of {rounds}")
            for service in started:
                service.resume()
                for kind in (FULL, BY_ID) if service.name.startswith("ours") else (FULL,):
                    for count in clients:
                        turn = loaded(loads, service.port, messages[kind], count, seconds if number >= 0 else 0.5)
                        if number >= 0:
                            found.setdefault((service.name, kind, count), []).append(turn)
                service.pause()
    return [{"service": n, "request": k, "clients": c, **medians(turns)} for (n, k, c), turns in found.items()]


def check(first: Contestant, service: Contestant, bodies: dict[str, bytes]) -> None:
    """Raise if a service ranks by other scores than the first one."""
    for kind, body in bodies.items():
        if kind == BY_ID and not service.name.startswith("ours"):
            continue
        if service is not first:
            first.resume()
        fused = [fused_of(answered(each, body)) for each in (first, service)]
        worst = float(np.abs(fused[0] - fused[1]).max())
        if service is not first:
            first.pause()
        if not worst <= TOLERANCE:
            raise SystemExit(f"error: {service.name} ranks by different scores: {worst:.1e}")


def fused_of(answer: Any) -> Any:
    """Fused scores [N] of an answer in rows or in columns."""
    return np.array([row["fused"] for row in answer] if isinstance(answer, list) else answer["fused"])


def loaded(loads: list[Any], port: int, file: str, clients: int, seconds: float) -> dict[str, float]:
    """Load a service from several processes at once."""
    used = loads[: min(len(loads), clients)]
    shares = [clients // len(used) + (number < clients % len(used)) for number in range(len(used))]
    task = {"port": port, "seconds": seconds, "file": file}
    for load, share in zip(used, shares, strict=True):
        load.stdin.write(orjson.dumps({**task, "concurrency": share}) + b"\n")
        load.stdin.flush()
    answers = [orjson.loads(load.stdout.readline()) for load in used]
    if failures := sum(answer["failures"] for answer in answers):
        raise SystemExit(f"error: port {port}: {failures} requests failed")
    times = np.concatenate([answer["milliseconds"] for answer in answers])
    p50, p99 = np.quantile(times, [0.5, 0.99])
    rate = len(times) / max(answer["seconds"] for answer in answers)
    return {"requests/s": rate, "p50 ms": float(p50), "p99 ms": float(p99)}


def medians(turns: list[dict[str, float]]) -> dict[str, float]:
    """Medians over the rounds."""
    return {name: round(float(np.median([turn[name] for turn in turns])), 2) for name in turns[0]}


def show_engine(console: Console, size: str, device: str, found: dict[str, Any]) -> None:
    """Print a table with a column for each number of candidates."""
    worst = found["worst golden difference"]
    title = f"{size}, {device}, engine alone: golden scores differ by at most {worst:.1e}; ms"
    table = Table("candidates", *(str(row["candidates"]) for row in found["sizes"]), title=title)
    for name in found["sizes"][0]:
        if name != "candidates":
            table.add_row(name, *(orjson.dumps(row[name]).decode() for row in found["sizes"]))
    console.print(table)


def show_services(console: Console, size: str, workers: int, rows: list[dict[str, Any]]) -> None:
    """Print a row for each service, kind of request and number of clients."""
    table = Table(*rows[0], title=f"{size}, 500 candidates, {workers} workers")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)


if __name__ == "__main__":
    app()
