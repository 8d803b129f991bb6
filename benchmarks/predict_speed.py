"""Rows a second and peak memory of offline scoring: ours, LightGBM's `predict`, and a plain loop over the SavedModel.

Each contestant reads the same simulated Parquet files in a process of its own, scores every objective of every row and
writes Parquet; rows a second count all of that but the start of the process. On a machine that others use, rows a CPU
second, over all threads, are more reliable. The kernel reports peak memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json

ROOT = Path(__file__).resolve().parent.parent
TRAIN = [sys.executable, "-c", "from training.cli import app; app()"]
CONFIG = ROOT / "configs" / "demo.yaml"
FIT_ROWS = 100_000
KERAS_BATCH = 32
"""Rows of a batch of ``model.predict`` by default."""


def main(
    rows: Annotated[int, typer.Option(min=1, help="Rows to score, by every contestant.")] = 1_000_000,
    more: Annotated[int, typer.Option(min=0, help="Rows to score by ours alone, for memory; 0 for none.")] = 10_000_000,
    loop_rows: Annotated[int, typer.Option(min=1, help="Rows that the loop over the SavedModel scores.")] = 200_000,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Rows of a batch of that loop; may be repeated. Default: 32, 1024.")
    ] = None,
    artifact: Annotated[Path | None, typer.Option(help="Artifact to score with; by default one is fitted.")] = None,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Folder for logs and results; temporary by default."),
    ] = None,
    peers_python: Annotated[Path, typer.Option(help="Python of an environment with LightGBM.")] = Path(
        ".peers/bin/python"
    ),
    output: Annotated[Path | None, typer.Option("--json", help="Write the measurements to this file.")] = None,
) -> None:
    """Fit a model on a simulated log, then score it with each contestant, one at a time."""
    table = Table("contestant", "rows", "rows a second", "rows a CPU second", "peak MiB", title="offline scoring")
    measured: list[dict[str, Any]] = []

    def measure(name: str, command: list[str]) -> None:
        found = {"contestant": name, **run(command)}
        measured.append(found)
        speeds = (f"{found['rows'] / found[clock]:,.0f}" for clock in ("seconds", "cpu_seconds"))
        table.add_row(name, f"{found['rows']:,}", *speeds, f"{found['mib']:,.0f}")

    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        work = Path(scratch)
        logs = {count: simulated(work, count) for count in dict.fromkeys([FIT_ROWS, rows, *([more] if more else [])])}
        model = artifact.resolve() if artifact is not None else fitted(logs[FIT_ROWS], work / "model")
        ours = [sys.executable, "-m", "benchmarks.ours.predict_speed", str(model)]
        for engine in ("openvino", "onnxruntime"):
            measure(f"ranker predict, {engine}", [*ours, "job", str(logs[rows]), str(work / engine), engine])
        if more:
            measure("ranker predict, openvino", [*ours, "job", str(logs[more]), str(work / "more"), "openvino"])
        for size in batch or (KERAS_BATCH, 1024):
            loop = ["loop", str(logs[rows]), str(work / f"loop_{size}"), str(size), str(loop_rows)]
            measure(f"loop of SavedModel, batches of {size}", [*ours, *loop])
        peer = [str(peers_python.absolute()), "-m", "benchmarks.peers.predict_lightgbm"]
        measure("LightGBM, one model per objective", [*peer, str(logs[FIT_ROWS]), str(logs[rows]), str(work / "trees")])
    Console().print(table)
    if output is not None:
        write_json(output, {"benchmark": "predict_speed", "cores": os.cpu_count(), "results": measured})


def fitted(log: Path, model: Path) -> Path:
    """The demo's model, trained on a log."""
    subprocess.run([*TRAIN, "fit", str(CONFIG), "--data", str(log), "--output", str(model)], check=True)
    return model


def simulated(folder: Path, rows: int) -> Path:
    """The log of that many rows, in a folder below ``folder``."""
    log = folder / f"log_{rows}"
    subprocess.run([*TRAIN, "simulate", "--rows", str(rows), "--output", str(log)], check=True)
    return log


def run(command: list[str]) -> dict[str, Any]:
    """What a contestant prints as JSON, with the peak resident memory of its process in MiB."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [line for line in process.stdout if line.startswith("{")]
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status or not lines:
        raise SystemExit(f"error: {' '.join(command)} failed")
    return {**json.loads(lines[-1]), "mib": usage.ru_maxrss / 1024}


if __name__ == "__main__":
    typer.run(main)
