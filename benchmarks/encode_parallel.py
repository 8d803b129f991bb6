"""Time and processor time of `encode` by one process, by several and by Ray, and whether the rows are the same bytes.

Each way runs in a network namespace of its own, whose processes are all counted, so that this needs root.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.ray_nodes import ENVIRONMENT, HEAD, ROOT, TRAIN, namespaces, usage, within
from benchmarks.report import write_json


def main(
    config: Annotated[Path, typer.Argument(help="The experiment.")],
    data: Annotated[Path, typer.Option(help="Log to encode.")],
    processes: Annotated[int, typer.Option(min=2)] = 2,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder for rows; temporary by default.")
    ] = None,
    output: Annotated[Path | None, typer.Option("--json", help="Write the measurements to this file.")] = None,
) -> None:
    """Encode a log in three ways."""
    if os.geteuid() != 0:
        raise typer.BadParameter("network namespaces need root")
    ways = {"one process": [], f"{processes} processes": ["--processes", str(processes)], "Ray, local": ["--ray"]}
    table = Table("way", "seconds", "CPU seconds", "peak MiB", "same bytes", title="encoding")
    measured: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        first: dict[str, bytes] = {}
        for place, (name, words) in enumerate(ways.items()):
            output_folder = Path(scratch) / str(place)
            with namespaces(1):
                command = [*TRAIN, "encode", str(config), "--data", str(data), "--output", str(output_folder), *words]
                found = _measured(command)
            files = {str(p.relative_to(output_folder)): p.read_bytes() for p in output_folder.rglob("*") if p.is_file()}
            first = first or files
            measured.append({"way": name, **found, "same": files == first})
            table.add_row(name, *(f"{found[key]:,.0f}" for key in ("seconds", "cpu", "mib")), str(files == first))
    Console().print(table)
    if output is not None:
        write_json(output, {"benchmark": "encode_parallel", "results": measured})


def _measured(command: list[str]) -> dict[str, float]:
    used: dict[tuple[str, int, str], float] = {}
    began, peak = time.monotonic(), 0.0
    process = subprocess.Popen(within(HEAD, command), cwd=ROOT, env=ENVIRONMENT)
    while process.poll() is None:
        peak = max(peak, usage(HEAD, used))
        time.sleep(0.2)
    if process.returncode:
        raise RuntimeError(f"encode ended with status {process.returncode}")
    return {"seconds": time.monotonic() - began, "cpu": sum(used.values()), "mib": peak}


if __name__ == "__main__":
    typer.run(main)
