"""Small exposure logs and events, made by hand or by simulated users, and what a join of them must be."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import write_exposures
from ranker.exposures.columns import REQUEST
from training.exposures.join import join
from training.exposures.labels import Label
from training.exposures.log_columns import LogColumns
from training.exposures.options import Joined, JoinOptions

BEGUN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WITHIN = timedelta(minutes=30)


def at(minutes: float) -> datetime:
    return BEGUN + timedelta(minutes=minutes)


def shown(*requests: tuple[str, str, float, Iterable[int]], **more: Any) -> pa.Table:
    """One request for each (id, user, minute, items)."""
    rows = []
    for request, user, minute, items in requests:
        listed = list(items)
        for place, item in enumerate(listed, 1):
            rows.append(
                dict.fromkeys(REQUEST)
                | {"request_id": request, "time": at(minute), "model": "default", "version": 1, "unit": user}
                | {"fusion": "default", "formula": "additive", "parameters": "{}", "candidates": 9}
                | {"returned": len(listed), "item": item, "place": place, "base_place": None, "propensity": 0.5}
                | {"fused": 1.0, "context.user_id": user, "context.device": "web", "candidate.duration_s": 10.0 * item}
                | more
            )
    return pa.Table.from_pylist(rows)


def write(table: pa.Table, folder: Path, model: str = "default", *, hashed: bool = False) -> None:
    write_exposures(table, folder, model, hashed=hashed)


def events(path: Path, *rows: tuple[str | None, int, str, float], **more: Any) -> Path:
    """A file of events (request, item, kind, minute[, value])."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [
        {"request_id": row[0], "item": row[1], "kind": row[2], "time": at(row[3])}
        | ({"value": float(row[4])} if len(row) > 4 else {"value": None})
        | more
        for row in rows
    ]
    schema = {"request_id": pa.string(), "item": pa.int64(), "kind": pa.string(), "time": pa.timestamp("ms", tz="UTC")}
    kinds = {**schema, "value": pa.float64(), **{name: pa.string() for name in more}}
    pq.write_table(pa.Table.from_pylist(made, schema=pa.schema(kinds)), path)
    return path


def joined(
    exposures: Path,
    sources: Path | list[Path],
    columns: LogColumns,
    output: Path,
    labels: list[Label],
    now: float = 10_000,
    **options: Any,
) -> Joined:
    asked = JoinOptions(within=WITHIN, labels=labels, now=at(now), **options)
    return join(exposures, sources if isinstance(sources, list) else [sources], columns, output, asked)


def log_of(output: Path) -> pd.DataFrame:
    """All rows of a log, by request and position."""
    files = sorted(output.glob("date=*/*.parquet"))
    if not files:
        return pd.DataFrame()
    frame = pd.concat([pq.ParquetFile(file).read().to_pandas() for file in files])
    return frame.sort_values(["request_id", "position"], ignore_index=True)


def merged(exposures: pd.DataFrame, found: pd.DataFrame, within: timedelta = WITHIN) -> pd.DataFrame:
    """The labels of a log by a plain merge: clicks and seconds watched by request and item."""
    once = found.drop_duplicates("event_id")
    pairs = exposures.merge(once, on=["request_id", "item"], suffixes=("", "_event"))
    pairs = pairs[pairs["time_event"] <= pairs["time"] + within]
    clicks = pairs[pairs["kind"] == "click"].groupby(["request_id", "item"]).size().rename("clicks")
    watched = pairs[pairs["kind"] == "watch_time"].groupby(["request_id", "item"])["value"].sum().rename("watched")
    whole = exposures.join(clicks, on=["request_id", "item"]).join(watched, on=["request_id", "item"])
    return whole.fillna({"clicks": 0, "watched": 0.0}).sort_values(["request_id", "place"], ignore_index=True)
