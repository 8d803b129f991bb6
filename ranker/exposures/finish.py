"""Turns streams that are no longer written into Parquet files, each exactly once.

A process that writes a stream holds the lock on its file, so that nobody else takes it; the lock ends with the process.
The Parquet file appears by renaming, before the stream is removed. A process that is killed in between leaves both, and
the next one writes the same rows to the same name again.
"""

import base64
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.exposures.columns import REQUEST
from ranker.exposures.files import finished, open_files
from ranker.file_locks import is_still, lock
from ranker.files import replacing, sync

GROUP_ROWS = 2**16
"""Fewest rows of a row group, but for the last."""
GROUP_BYTES = 32 * 2**20
"""Bytes after which a row group is written even with fewer rows."""
ABANDONED = 86_400.0
"""Seconds without a write after which a stream counts as left where there are no locks: no stream lives over a day."""
_LEVEL = 1
"""Level of zstd."""
_REPEATED = {*REQUEST, "place", "base_place"}
"""Columns of few values, beside text."""
_TYPES = b"ARROW:schema"
"""Key of the Parquet metadata that holds the Arrow types of its columns (arrow.apache.org/docs/cpp/parquet.html)."""


class Finished(NamedTuple):
    """A finished file, and its number of rows; a stream without rows leaves none."""

    path: Path
    rows: int


def recover(directory: Path) -> list[Finished]:
    """Finish the streams that killed processes left in a log's folder; those of living processes are left alone.

    Any number of processes may do so at once. Raises ``OSError`` if the folder cannot be written; streams that are not
    finished then stay.
    """
    return [done for file in open_files(directory) if (done := recover_file(file.path)) is not None]


def recover_file(open_file: Path, between: Callable[[], None] = lambda: None) -> Finished | None:
    """Finish one stream; ``None`` if its process lives, or another one finishes it. Raises as :func:`recover`."""
    try:
        handle = os.open(open_file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return finish(open_file, between) if _is_left(handle) and is_still(open_file, handle) else None
    finally:
        os.close(handle)


def _is_left(handle: int) -> bool:
    """Lock an open file; return whether no living process writes to it."""
    try:
        return lock(handle, wait=False)
    except OSError:  # a file system without locks
        return time.time() - os.fstat(handle).st_mtime > ABANDONED


def finish(open_file: Path, between: Callable[[], None] = lambda: None) -> Finished:
    """Write the whole requests of a stream as Parquet, and remove the stream, on which this process holds the lock.

    ``between`` is called after each row group. Raises ``OSError`` if there is no room; the stream then stays.
    """
    target = finished(open_file)
    rows = 0
    with open_file.open("rb") as source:
        groups = row_groups(batches(source))
        first = next(groups, None)
        if first is not None:
            with replacing(target) as partial:
                rows = _write(first, groups, partial, between)
                sync(partial)  # before the stream is removed, so that a loss of power leaves one of them
    open_file.unlink(missing_ok=True)
    return Finished(target, rows)


def batches(source: Any) -> Iterator[Any]:
    """Record batches of a stream up to its end, or up to where its process was killed.

    Raises ``OSError`` if the disk does not give what is there.
    """
    try:
        with pa.ipc.open_stream(source) as stream:
            while True:
                yield stream.read_next_batch()
    except (StopIteration, pa.ArrowInvalid, EOFError):
        return
    except OSError as error:
        if error.errno is not None:  # else Arrow's own, which says that the stream is cut
            raise


def row_groups(found: Iterator[Any]) -> Iterator[Any]:
    """Tables of enough rows for a row group; each holds whole requests, as each batch does."""
    waiting: list[Any] = []
    rows = size = 0
    for batch in found:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield _table(waiting)
            waiting, rows, size = [], 0, 0
    if rows:
        yield _table(waiting)


def write_table(table: Any, path: Path) -> None:
    """Write one table as a file of the log."""
    with _writer(path, table.schema) as writer:
        writer.write_table(table)


def _write(first: Any, groups: Iterator[Any], path: Path, between: Callable[[], None]) -> int:
    rows = 0
    with _writer(path, first.schema) as writer:
        table = first
        while table is not None:
            writer.write_table(table)
            rows += table.num_rows
            between()
            table = next(groups, None)
    return rows


def _writer(path: Path, schema: Any) -> Any:
    """A Parquet writer that spends time only where it pays.

    It looks for repeated values where there may be many, and splits the bytes of floats. It keeps the smallest and the
    largest value of times alone. Readers get the types of the contract, while streams hold more columns as words.
    """
    told = pa.schema([field.with_type(REQUEST.get(field.name, field.type)) for field in schema], schema.metadata)
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    repeated = [field.name for field in schema if field.name in _REPEATED or _is_text(field.type)]
    writer = pq.ParquetWriter(
        path,
        schema,
        store_schema=False,
        compression="zstd",
        compression_level=_LEVEL,
        use_dictionary=repeated,
        use_byte_stream_split=floats,
        write_statistics=["time"],
    )
    writer.add_key_value_metadata({**(schema.metadata or {}), _TYPES: base64.b64encode(told.serialize())})
    return writer


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _table(waiting: list[Any]) -> Any:
    return pa.Table.from_batches(waiting).unify_dictionaries()
