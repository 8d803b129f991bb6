"""Requests from the exposure log, rebuilt as far as it holds what they were ranked by."""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from heapq import merge
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures import newest_files, open_files, request_starts
from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, METADATA
from ranker.exposures.files import OPEN
from ranker.exposures.finish import batches
from serving.ranking.ranker import Ranker

LARGEST = 2**28
"""Largest file in bytes that is looked into, so that the bench stays light; the log's files are smaller by default."""
FILES = 16
"""Most files that are looked into: those that were written last."""
PARTS = 8
"""Most record batches of a stream, or row groups of a file, that are looked into: the last ones."""
NEEDED = ("time", "unit", "candidates", "place", ITEM)
"""Columns without which a file is not one of the log."""


def logged_requests(directory: Path, model: str, ranker: Ranker, most: int) -> list[dict[str, Any]]:
    """The latest requests that the log has of a model, newest first: ``title`` and ``request``, or ``reason`` if none.

    Candidates beyond those that were logged are missing. Features that the log lacks are looked up by id, if the
    service has items and users; else there is nothing to rank.
    """
    found: list[dict[str, Any]] = []
    try:
        files = _newest(directory, model)
    except OSError as error:
        return [_none(f"cannot be read: {error.strerror or error}")]
    # Each worker writes files of its own, so the latest requests are in several.
    streams = [_requests(path) for path in files]
    for rows in merge(*streams, key=lambda rows: rows.column("time")[0].as_py(), reverse=True):
        request = _request(rows, ranker)
        if isinstance(request, str):
            return [_none(request)]
        found.append(request)
        if len(found) == most:
            break
    return found


def _none(reason: str) -> dict[str, Any]:
    return {"title": "From the exposure log", "reason": reason}


def _request(rows: Any, ranker: Ranker) -> dict[str, Any] | str:
    """One request of the log, or why it cannot be rebuilt."""
    first = {name: rows.column(name)[0].as_py() for name in ("time", "unit", "candidates")}
    context = {name.removeprefix(CONTEXT): rows.column(name)[0].as_py() for name in _named(rows, CONTEXT)}
    columns = {name.removeprefix(CANDIDATE): rows.column(name).to_pylist() for name in _named(rows, CANDIDATE)}
    schema = ranker.artifact.schema
    id_column = None if schema.candidate_id is None else schema.column(schema.candidate_id)
    if id_column is not None:
        columns[id_column] = rows.column(ITEM).to_pylist()
    content: dict[str, Any] = {}
    if missing := [name for name, kind in ranker.checker.columns.items() if kind.required and name not in columns]:
        if ranker.items is None or id_column is None:
            return f"lacks features of candidates ({', '.join(missing)}): set exposures_features, or items"
        columns = {id_column: columns[id_column]}
    hashed = bool(orjson.loads(rows.schema.metadata[METADATA]).get("hashed"))
    missing = [name for name, kind in ranker.checker.context_columns.items() if kind.required and name not in context]
    if missing:
        if not ranker.by_user or hashed or first["unit"] is None:
            return f"lacks columns of the context ({', '.join(missing)}): set exposures_features, or users"
        content["user"] = first["unit"]
    if context:
        content["context"] = context
    count = rows.num_rows
    of = "" if count == first["candidates"] else f" of {first['candidates']}"
    title = f"Logged {first['time']:%Y-%m-%d %H:%M:%S} UTC ({count}{of} candidates)"
    return {"title": title, "request": {**content, "candidates": columns}}


def _newest(directory: Path, model: str) -> list[Path]:
    """The files of a model that were written last, finished or not. Raises ``OSError``."""
    newest = [file.path for file in islice(filter(lambda file: file.model == model, newest_files(directory)), FILES)]
    written = {}
    for path in [*newest, *(file.path for file in open_files(directory) if file.model == model)]:
        with suppress(FileNotFoundError):  # it has just been finished, or was too old to keep
            facts = path.stat()
            if facts.st_size <= LARGEST:
                written[path] = facts.st_mtime_ns
    return sorted(written, key=lambda path: written[path], reverse=True)[:FILES]


def _requests(path: Path) -> Iterator[Any]:
    """Tables of one request each, the latest first, of the last parts of a file."""
    with suppress(OSError, pa.ArrowInvalid):  # it is being finished, or a killed process left half of it
        for table in _of_stream(path) if path.parent.name == OPEN else _of_file(path):
            if not _of_log(table.schema):
                return
            starts = [*request_starts(table).tolist(), table.num_rows]
            for start, stop in reversed(list(pairwise(starts))):
                yield table.slice(start, stop - start)


def _of_log(schema: Any) -> bool:
    return METADATA in (schema.metadata or {}) and all(name in schema.names for name in NEEDED)


def _of_stream(path: Path) -> Iterator[Any]:
    with path.open("rb") as source:
        latest = deque(batches(source), maxlen=PARTS)
    for batch in reversed(latest):
        yield pa.Table.from_batches([batch])


def _of_file(path: Path) -> Iterator[Any]:
    """In this thread alone, so that requests of clients keep the other cores."""
    with pq.ParquetFile(path) as file:
        wanted = [name for name in file.schema_arrow.names if name.startswith((CONTEXT, CANDIDATE)) or name in NEEDED]
        for group in reversed(range(file.num_row_groups)[-PARTS:]):
            yield file.read_row_group(group, columns=wanted, use_threads=False)


def _named(rows: Any, prefix: str) -> list[str]:
    return [name for name in rows.column_names if name.startswith(prefix)]
