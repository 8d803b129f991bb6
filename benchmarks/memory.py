"""Peak memory of a complete training job on simulated logs of different lengths; it must not grow with the length.

Each log is trained by ``ranker-train fit`` in a separate process, whose peak memory the kernel reports when it ends.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

CONFIG = Path(__file__).parent / "memory.yaml"
TRAIN = [sys.executable, "-c", "from training.cli import app; app()"]


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Rows of a log; may be repeated.")] = None,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder for logs and runs; temporary by default.")
    ] = None,
) -> None:
    """Train on a log of each length and print peak memory and time."""
    table = Table(title="peak memory of training")
    for column in ("rows", "peak MiB", "ratio", "seconds"):
        table.add_column(column, justify="right")
    first: float | None = None
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for count in rows or [1_000_000, 10_000_000]:
            log, output = Path(scratch) / f"log_{count}", Path(scratch) / f"run_{count}"
            subprocess.run([*TRAIN, "simulate", "--rows", str(count), "--output", str(log)], check=True)
            begun = time.monotonic()
            peak = peak_mib([*TRAIN, "fit", str(CONFIG), "--data", str(log), "--output", str(output)])
            first = first or peak
            table.add_row(f"{count:,}", f"{peak:,.0f}", f"{peak / first:.3f}", f"{time.monotonic() - begun:.0f}")
    Console().print(table)


def peak_mib(command: list[str]) -> float:
    """Run a command and return the peak resident memory of its process, in MiB."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"error: {' '.join(command)} failed")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
