"""The service on a GPU: agreement of scores, latencies, and a breakdown of the time.

Compares golden scores with the CPU's; times the engine alone and ``POST /rank`` for several numbers of candidates;
measures requests per second with 16 clients; and splits a call of the graph into copies, kernels and host work. With
``--device cpu`` it runs without a GPU, to try the command.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime
import orjson
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.under_fire.client import Client
from benchmarks.under_fire.service import PORT, body_of, started
from benchmarks.under_fire.verdict import quantile
from ranker.artifact import Artifact, difference, load
from ranker.encoding import Packed
from ranker.engines import ENGINES, Engine, EngineOptions

TOLERANCE = 1e-3
CLIENTS = 16
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def main(
    artifact_path: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="What `ranker-train fit` exported.")],
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the command.")] = "cuda",
    candidates: Annotated[str, typer.Option(help="Numbers of candidates, comma-separated.")] = "500,2000,10000",
    calls: Annotated[int, typer.Option(min=10, help="Engine calls and requests per size.")] = 300,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds for which 16 clients send requests.")] = 20,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the measurements.")] = None,
) -> None:
    """Measure and print; exit with 1 if scores differ by more than 1e-3 from the CPU's."""
    if device not in PROVIDERS:
        raise typer.BadParameter(f"device is cuda or cpu, got {device!r}")
    artifact = load(artifact_path)
    sizes = [int(size) for size in candidates.split(",")]
    engine, cpu = (ENGINES["onnxruntime"](artifact.model_path, EngineOptions(where)) for where in (device, "cpu"))
    worst = golden(artifact, engine, cpu)
    rows = [measured(artifact, engine, device, size, calls) for size in sizes]
    del engine, cpu  # the server has the device to itself
    with started(artifact_path, device=device, max_candidates=max(*sizes, 1), max_in_flight=2 * CLIENTS) as service:
        for row in rows:
            body = body_of(service, row["candidates"])
            asyncio.run(Client(PORT, body).closed(1, 1))
            alone = asked(PORT, body, calls)
            together = asyncio.run(Client(PORT, body).closed(CLIENTS, seconds))
            row |= {"rank p50": quantile(alone, 0.5), "rank p99": quantile(alone, 0.99)}
            row[f"requests/s, {CLIENTS} clients"] = round(len(together.of(200)) / seconds, 1)
            row[f"p99, {CLIENTS} clients"] = quantile(together.of(200), 0.99)
            row["other answers"] = sum(count for status, count in together.counts().items() if status != 200)
    show(device, worst, rows)
    if json_file is not None:
        json_file.write_text(json.dumps({"device": device, "worst golden difference": worst, "sizes": rows}, indent=2))
    if not worst <= TOLERANCE:
        raise typer.Exit(1)


def golden(artifact: Artifact, engine: Engine, cpu: Engine) -> float:
    """Largest difference of golden scores between the device, the CPU and the export."""
    found = []
    for request in artifact.golden:
        packed = artifact.encoder.encode({name: [v] for name, v in request.context.items()}, request.candidates)
        expected = np.array([request.scores[task] for task in artifact.manifest.tasks]).T
        scores = engine.score(packed)
        found += [difference(scores, cpu.score(packed)), difference(scores, expected)]
    return max(found)


def measured(artifact: Artifact, engine: Engine, device: str, candidates: int, calls: int) -> dict[str, Any]:
    """Milliseconds of the engine's call, and of its parts, measured by a session with bound arrays."""
    packed = packed_of(artifact, candidates)
    whole = timed(lambda: engine.score(packed), calls)
    parts, nodes = split(artifact.model_path, device, packed, calls)
    return {
        "candidates": candidates,
        "engine p50": quantile(whole, 0.5),
        "engine p99": quantile(whole, 0.99),
        **parts,
        "host around it": round(max(quantile(whole, 0.5) - sum(parts.values()), 0.0), 3),
        "slowest nodes, ms": nodes,
    }


def packed_of(artifact: Artifact, candidates: int) -> Packed:
    """The first golden request with its candidates repeated."""
    request = artifact.golden[0]
    packed = artifact.encoder.encode({name: [v] for name, v in request.context.items()}, request.candidates)
    times = candidates // len(packed.candidate_ids) + 1
    return packed._replace(
        candidate_ids=np.ascontiguousarray(np.tile(packed.candidate_ids, (times, 1))[:candidates]),
        candidate_numbers=np.ascontiguousarray(np.tile(packed.candidate_numbers, (times, 1))[:candidates]),
    )


def split(model: Path, device: str, packed: Packed, calls: int) -> tuple[dict[str, float], dict[str, float]]:
    """Median ms of copying in, running on bound arrays (kernels and their launch) and copying out; slowest nodes.

    The nodes come from ONNX Runtime's profile. On CUDA their times are those of the launches, unless ONNX Runtime was
    built to read the device's clocks.
    """
    if device == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.spin_duration_us", "50")  # as in the service
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDERS[device]])
        names = {node.name for node in session.get_inputs()}
        feed = {name: array for name, array in packed._asdict().items() if name in names}
        bound = {name: onnxruntime.OrtValue.ortvalue_from_numpy(a, device, 0) for name, a in feed.items()}
        binding = session.io_binding()
        for name, value in bound.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("scores", device, 0)

        def kernels() -> None:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

        copied = timed(lambda: [onnxruntime.OrtValue.ortvalue_from_numpy(a, device, 0) for a in feed.values()], calls)
        ran = timed(kernels, calls)
        back = timed(lambda: binding.get_outputs()[0].numpy(), calls)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        profiled = onnxruntime.InferenceSession(str(model), options, providers=[PROVIDERS[device]])
        for _ in range(20):
            profiled.run(["scores"], feed)
        nodes = slowest(Path(profiled.end_profiling()), 20)
    medians = {"copy in": copied, "kernels": ran, "copy out": back}
    return {name: round(float(np.median(values)), 3) for name, values in medians.items()}, nodes


def slowest(profile: Path, runs: int, count: int = 5) -> dict[str, float]:
    """Milliseconds per run of the slowest node types."""
    spent: Counter[str] = Counter()
    for entry in orjson.loads(profile.read_bytes()):
        if entry.get("cat") in ("Node", "Kernel") and not entry["name"].endswith(("_fence_before", "_fence_after")):
            spent[entry.get("args", {}).get("op_name", entry["name"])] += entry["dur"]
    return {name: round(micros / runs / 1e3, 3) for name, micros in spent.most_common(count)}


def timed(call: Callable[[], object], calls: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Milliseconds of each call, after some warm-up calls."""
    found = []
    for number in range(calls + 20):
        begun = time.perf_counter()
        call()
        if number >= 20:
            found.append((time.perf_counter() - begun) * 1e3)
    return np.array(found)


def asked(port: int, body: bytes, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Milliseconds of requests, one after another over one connection."""

    async def ask() -> np.ndarray[Any, np.dtype[np.float64]]:
        client = Client(port, body)
        for _ in range(count):
            await client.ask()
        return client.answers.of(200)

    return asyncio.run(ask())


def show(device: str, worst: float, rows: list[dict[str, Any]]) -> None:
    """Print a table with a column for each number of candidates."""
    agreed = "within" if worst <= TOLERANCE else "MORE THAN"
    table = Table(title=f"{device}: golden scores {agreed} {TOLERANCE:g} (worst {worst:.1e}); times in ms")
    table.add_column("candidates", justify="right")
    for row in rows:
        table.add_column(str(row["candidates"]), justify="right")
    for name in rows[0]:
        if name != "candidates":
            table.add_row(name, *(json.dumps(row[name]) for row in rows))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
