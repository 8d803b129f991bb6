"""Requests as rows of a log: each row has its list's name, its context and a candidate."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.artifact import Artifact


def requests_of(artifact: Artifact, sizes: Iterable[int], seed: int = 0) -> list[dict[str, Any]]:
    """Contexts with some candidates each, drawn from the artifact's golden request."""
    random, golden = np.random.default_rng(seed), artifact.golden[0]
    count = len(next(iter(golden.candidates.values())))
    found = []
    for size in sizes:
        rows = random.integers(0, count, size).tolist()
        candidates = {name: [values[row] for row in rows] for name, values in golden.candidates.items()}
        found.append({"context": {**golden.context, "age": float(random.integers(18, 80))}, "candidates": candidates})
    return found


def table_of(requests: list[dict[str, Any]], names: Iterable[object] | None = None) -> pa.Table:
    """Rows of the requests, with their names in ``list`` and a number in ``row``."""
    columns: dict[str, list[Any]] = {"list": []}
    for name, request in zip(names or (f"r{i}" for i in range(len(requests))), requests, strict=True):
        count = len(next(iter(request["candidates"].values())))
        columns["list"] += [name] * count
        for column, values in request["candidates"].items():
            columns.setdefault(column, []).extend(values)
        for column, value in request["context"].items():
            columns.setdefault(column, []).extend([value] * count)
    columns["row"] = list(range(len(columns["list"])))
    return pa.table(columns)


def write_files(folder: Any, table: pa.Table, rows: int, group: int) -> None:
    """Write Parquet files of some rows each, in row groups."""
    for number, start in enumerate(range(0, max(table.num_rows, 1), rows)):
        pq.write_table(table.slice(start, rows), folder / f"{number:03d}.parquet", row_group_size=group)
