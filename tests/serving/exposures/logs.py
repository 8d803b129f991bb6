"""Reads what a service logged."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import ExposureFile, exposure_files, open_files, read_log
from ranker.exposures.finish import batches
from tests.serving.asking import CLIENT

QUICK = {"exposures_flush": 0.05, "exposures_roll_seconds": 1}
"""Settings with which a log is soon there."""


def rows_of(directory: Path) -> pa.Table:
    """All rows of the finished files."""
    tables = [table for _, table in read_log(directory)]
    return pa.concat_tables(tables, promote_options="default") if tables else pa.table({"request_id": []})


def logged(directory: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of the finished files by request id, in place order, as they are there."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(directory).to_pylist():
        found.setdefault(row["request_id"], []).append(row)
    return found


def asked(url: str, body: Any, request_id: str, **headers: str) -> dict[str, Any]:
    """The answer to a request of an id."""
    headers = {"X-Request-ID": request_id, **headers}
    answer = CLIENT.post(f"{url}/rank", content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"] == request_id
    content: dict[str, Any] = answer.json()
    return content


def rows_written(directory: Path) -> int:
    """Rows in streams and files."""
    finished = sum(pq.read_metadata(file.path).num_rows for file in exposure_files(directory))
    return finished + sum(map(_rows, open_files(directory)))


def _rows(file: ExposureFile) -> int:
    with file.path.open("rb") as source:
        return sum(batch.num_rows for batch in batches(source))


def sample(url: str, name: str) -> float:
    """A metric by its line without the value, summed up over its labels."""
    lines = CLIENT.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))
