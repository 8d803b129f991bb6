"""Peak memory and speed of ``ranker-train join`` on exposure logs of different lengths, beside a plain merge in pandas.

Each log is one day of requests with ten items, four features and files of 100,000 rows; a fifth of the rows have
events, of which some come twice, late, or for what was never shown. Each side runs in a process of its own, whose
peak memory and processor time, with that of its start, the kernel reports when it ends. The merge reads everything into
memory, and writes the same rows: it keeps no state, and does not see repeated runs. Both must count the same clicks.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from ranker.exposures import write_exposures
from ranker.exposures.columns import REQUEST

DAY = datetime(2026, 1, 31, tzinfo=UTC)
WITHIN = timedelta(minutes=30)
SHOWN, FILE_ROWS = 10, 100_000
WORDS = {"model": "default", "version": 1, "experiment": "e", "group": "g", "outside": None, "fusion": "default"}
SCHEMA = {
    "candidate_id": "item_id",
    "context": {"user_id": {"kind": "categorical"}, "device": {"kind": "categorical"}},
    "candidate": {"item_id": {"kind": "categorical"}, "duration_s": {"kind": "numeric"}},
    "tasks": {"click": {"kind": "binary"}, "watch_time": {"kind": "regression", "given": "click"}},
}
CONFIG = {"data": {"split": {"by": "random", "fraction": 0.1}}, "schema": SCHEMA, "architecture": "shared_bottom"}


def make(folder: Path, rows: int) -> None:
    """Write exposures and events of one day."""
    random, files = np.random.default_rng(0), max(rows // FILE_ROWS, 1)
    requests = rows // files // SHOWN
    (folder / "events").mkdir(parents=True)
    for number in range(files):
        names = np.char.add("request-", (number * requests + np.arange(requests)).astype(str))
        begun = DAY + timedelta(days=1) * (number / files)
        times = int(begun.timestamp() * 1000) + np.sort(random.integers(0, 86_400_000 // files, requests))
        row = np.repeat(np.arange(requests), SHOWN)
        items = random.integers(0, 1_000_000, (requests, 1)) * 50 + np.arange(SHOWN)
        users = random.integers(0, 200_000, requests)
        constant = WORDS | {"formula": "additive", "parameters": "{}", "candidates": 100, "returned": SHOWN}
        columns: dict[str, Any] = {
            name: pa.array([value] * row.size, type=REQUEST[name] if value is None else None)
            for name, value in constant.items()
        }
        columns |= {"request_id": pa.array(names[row]), "time": pa.array(times[row]), "item": pa.array(items.ravel())}
        columns |= {"unit": pa.array(users[row].astype(str)), "place": np.tile(np.arange(1, SHOWN + 1), requests)}
        columns |= {"base_place": pa.nulls(row.size, pa.int32()), "propensity": np.full(row.size, 0.5)}
        columns |= {"fused": random.random(row.size), "context.user_id": users[row]}
        columns |= {"context.device": np.array(["web", "ios"])[row % 2], "candidate.duration_s": items.ravel() % 300.0}
        write_exposures(pa.table(columns), folder / "exposures")
        _events(folder / "events" / f"{number:03d}.parquet", names[row], times[row], items.ravel(), random)


def _events(file: Path, names: Any, times: Any, items: Any, random: np.random.Generator) -> None:
    clicked = np.flatnonzero(random.random(names.size) < 0.2)
    delay = random.exponential(120_000, clicked.size).astype(np.int64)
    late = random.random(clicked.size) < 0.02
    at = times[clicked] + np.where(late, 3_600_000, delay)
    both = np.concatenate([clicked, clicked])
    kinds = np.repeat(["click", "watch_time"], clicked.size)
    values = np.concatenate([np.ones(clicked.size), random.integers(1, 60, clicked.size).astype(float)])
    table = pa.table(
        {
            "request_id": names[both],
            "item": np.where(random.random(both.size) < 0.01, -1, items[both]),
            "kind": kinds,
            "time": pa.array(np.concatenate([at, at + 1000])).cast(pa.timestamp("ms", tz="UTC")),
            "value": values,
        }
    )
    again = table.filter(pa.array(random.random(both.size) < 0.02))
    pq.write_table(pa.concat_tables([table, again]), file, compression="zstd")


def join(folder: Path, output: Path) -> None:
    """Join as the command does."""
    from training.config.experiment import checked
    from training.exposures.join import join as joined
    from training.exposures.labels import Label
    from training.exposures.log_columns import LogColumns
    from training.exposures.options import JoinOptions

    labels = [Label("click", "click", "any"), Label("watch_time", "watch_time", "sum")]
    columns = LogColumns(checked(CONFIG), [label.column for label in labels], {})
    options = JoinOptions(within=WITHIN, labels=labels, now=DAY + timedelta(days=3))
    joined(folder / "exposures", [folder / "events"], columns, output, options)


def merge(folder: Path, output: Path) -> None:
    """Join by pandas, all in memory."""
    rows = pq.read_table(folder / "exposures", partitioning=None).to_pandas()
    events = pq.read_table(folder / "events").to_pandas()
    events = events.drop_duplicates(["request_id", "item", "kind", "time", "value"])
    pairs = events.merge(rows[["request_id", "item", "time"]], on=["request_id", "item"], suffixes=("", "_shown"))
    pairs = pairs[pairs["time"] <= pairs["time_shown"] + WITHIN]
    sums = pairs.pivot_table(index=["request_id", "item"], columns="kind", values="value", aggfunc="sum")
    whole = rows.join(sums, on=["request_id", "item"])
    log = pd.DataFrame(
        {
            "request_id": whole["request_id"], "item_id": whole["item"], "user_id": whole["context.user_id"],
            "device": whole["context.device"], "duration_s": whole["candidate.duration_s"],
            "click": whole["click"].notna().astype("int8"), "watch_time": whole["watch_time"].fillna(0.0),
            "position": whole["place"], "time": whole["time"], "propensity": whole["propensity"],
            "experiment": whole["experiment"], "group": whole["group"], "model": whole["model"],
            "version": whole["version"],
        }
    )  # fmt: skip
    output.mkdir(parents=True)
    log.to_parquet(output / "log.parquet", compression="zstd")


SIDES = {"join": join, "merge": merge}


def main(
    rows: Annotated[list[int] | None, typer.Option(help="Exposures; may be repeated.")] = None,
    side: Annotated[str | None, typer.Option(hidden=True)] = None,
    folder: Annotated[Path | None, typer.Option(help="Folder for the logs; temporary by default.")] = None,
    output: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Join a day of each length on both sides, and print peak memory and speed."""
    if side is not None:
        assert folder is not None
        assert output is not None
        SIDES[side](folder, output)
        return
    table = Table(title="a day of exposures")
    for header in ("exposures", "events", "side", "peak MiB", "CPU seconds", "exposures a CPU second", "clicks"):
        table.add_column(header, justify="right")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        for count in rows or [2_000_000, 4_000_000]:
            day = Path(scratch) / str(count)
            make(day, count)
            shown = sum(pq.read_metadata(file).num_rows for file in (day / "exposures").rglob("*.parquet"))
            told = sum(pq.read_metadata(file).num_rows for file in (day / "events").glob("*.parquet"))
            for name in SIDES:
                out = day / name
                command = [sys.executable, "-m", "benchmarks.join", "--side", name, "--folder", str(day)]
                peak, seconds = _measured([*command, "--output", str(out)])
                clicks = sum(
                    pc.sum(pq.ParquetFile(file).read(["click"])["click"]).as_py() for file in out.rglob("*.parquet")
                )
                table.add_row(
                    f"{shown:,}", f"{told:,}", name, f"{peak:,.0f}", f"{seconds:.1f}", f"{shown / seconds:,.0f}",
                    f"{clicks:,}",
                )  # fmt: skip
            shutil.rmtree(day)
    Console().print(table)


def _measured(command: list[str]) -> tuple[float, float]:
    """Run a process; its peak resident memory in MiB, and its processor time in seconds."""
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise typer.Exit(status)
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    typer.run(main)
