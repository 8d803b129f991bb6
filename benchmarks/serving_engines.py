"""Compares the engines on prepared arrays by number of candidates, and measures the gain from OpenVINO's sizes.

Wall time needs a quiet machine; CPU time, summed over threads, is also reported and less sensitive.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.report import write_json
from benchmarks.serving_setup import SIZES, artifact_of, request_of
from ranker.artifact import difference
from ranker.encoding import Packed
from ranker.engines import ENGINES, Engine, EngineOptions, OpenVino


def main(
    folder: Annotated[Path, typer.Option(help="Folder of the artifacts; missing ones are created.")] = Path(
        "runs/serving_peers"
    ),
    size: Annotated[list[str] | None, typer.Option(help="large, small; all by default.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Some of the engines; all by default.")] = None,
    candidates: Annotated[list[int] | None, typer.Option(help="By default 100, 500 and 2000.")] = None,
    threads: int = 2,
    calls: int = 60,
    json_file: Annotated[Path | None, typer.Option("--json", help="Where to write the medians.")] = None,
) -> None:
    """Call each engine in turn, and print medians."""
    console, results = Console(), []
    for name in size or SIZES:
        artifact = artifact_of(name, folder)
        sides: dict[str, Engine] = {
            key: ENGINES[key](artifact.model_path, EngineOptions(threads=threads)) for key in engine or ENGINES
        }
        if "openvino" in sides:
            sides["openvino, any number"] = OpenVino(artifact.model_path, EngineOptions(threads=threads), sizes=())
        for count in candidates or (100, 500, 2000):
            body = request_of(count)
            packed = artifact.encoder.encode({key: [v] for key, v in body["context"].items()}, body["candidates"])
            first = next(iter(sides.values())).score(packed)
            for key, loaded in sides.items():
                if not (worst := difference(loaded.score(packed), first)) < 1e-5:
                    raise SystemExit(f"error: {key} gives other scores: {worst:.1e}")
            found = timed(sides, packed, calls)
            table = Table("", "ms", "ms of processor", title=f"{name}, {count} candidates, {threads} thread(s)")
            for key, (wall, cpu) in found.items():
                table.add_row(key, f"{wall:.2f}", f"{cpu:.2f}")
                results.append({"size": name, "candidates": count, "side": key, "ms": wall, "cpu_ms": cpu})
            console.print(table)
    if json_file is not None:
        write_json(json_file, {"benchmark": "serving_engines", "threads": threads, "results": results})


def timed(sides: Mapping[str, Engine], packed: Packed, calls: int) -> dict[str, tuple[float, float]]:
    """Median wall and CPU time of each side, in milliseconds."""
    taken: dict[str, list[tuple[float, float]]] = {key: [] for key in sides}
    for number in range(calls + 5):
        for key, loaded in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            loaded.score(packed)
            if number >= 5:
                taken[key].append((time.perf_counter() - wall, time.process_time() - cpu))
    medians = {key: np.median(np.array(times), axis=0) * 1e3 for key, times in taken.items()}
    return {key: (float(wall), float(cpu)) for key, (wall, cpu) in medians.items()}


if __name__ == "__main__":
    typer.run(main)
