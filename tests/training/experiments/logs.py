"""Exposure logs and events of small experiments."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import write_exposures
from ranker.exposures.columns import ITEM, REQUEST, ROW

START = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
DAY = 86_400_000


def requests(units, groups, times=None, **columns):
    """Requests [R] by unit and group, one every minute from ``START``; two items each."""
    count = len(units)
    found = {
        "request_id": [f"r{number}" for number in range(count)],
        "time": [START + 60_000 * number for number in range(count)] if times is None else list(times),
        "model": ["default"] * count,
        "version": [1] * count,
        "experiment": ["e"] * count,
        "group": list(groups),
        "outside": [None] * count,
        "fusion": ["default"] * count,
        "formula": ["additive"] * count,
        "parameters": ["{}"] * count,
        "unit": list(units),
        "candidates": [9] * count,
        "returned": [2] * count,
    }
    return found | {name: list(values) for name, values in columns.items()}


def write(folder: Path, found, *, hashed=False):
    """Write requests as a finished log."""
    order = np.argsort(found["time"], kind="stable")
    rows = np.repeat(order, 2)
    columns = {name: pa.array([found[name][row] for row in rows]) for name in REQUEST}
    columns["time"] = columns["time"].cast(pa.timestamp("ms", tz="UTC"))
    columns = {name: column.cast(REQUEST[name]) for name, column in columns.items()}
    places = np.tile([1, 2], len(order))
    columns |= {ITEM: pa.array(rows * 10 + places), "place": pa.array(places)}
    columns |= {name: pa.nulls(len(rows), kind) for name, kind in ROW.items() if name != "place"}
    write_exposures(pa.table(columns), folder, hashed=hashed)
    return folder


def events(path: Path, **columns):
    """Write events as Parquet; times are milliseconds."""
    pq.write_table(pa.table(columns), path)
    return path
