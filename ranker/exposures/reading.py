"""Reads exposure logs request by request, in bounded memory."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ranker.exposures.columns import FORMAT, METADATA, REQUEST, ROW
from ranker.exposures.files import ExposureFile, exposure_files, new_name
from ranker.exposures.finish import write_table
from ranker.exposures.schema import metadata
from ranker.files import replacing
from ranker.iso_times import DAY_MS

ROWS = 2**16
"""Rows that are read at once."""
_numbers = count()
"""Of the files that :func:`write_exposures` writes in this process."""


class ExposureError(ValueError):
    """A file that is not one of an exposure log; the message names the file and what is wrong."""


def facts(path: Path) -> dict[str, Any]:
    """What the file says of itself: ``format``, and whether units are ``hashed``. Raises ``ExposureError``."""
    try:
        stored = pq.read_metadata(path).metadata or {}
    except pa.ArrowInvalid as error:
        raise ExposureError(f"{path} is not a Parquet file: {error}") from None
    if METADATA not in stored:
        raise ExposureError(f"{path} is not a file of an exposure log: it lacks the metadata {METADATA.decode()!r}")
    found: dict[str, Any] = orjson.loads(stored[METADATA])
    if found.get("format") != FORMAT:
        raise ExposureError(f"{path} is of format {found.get('format')}; this version reads format {FORMAT}")
    return found


def read_log(
    directory: Path, columns: Sequence[str] | None = None, rows: int = ROWS
) -> Iterator[tuple[ExposureFile, Any]]:
    """Yield whole requests as Arrow tables, file by file in the order of their first requests.

    Only finished files are read. Requests of files that were written at the same time are not in order between them.
    ``columns`` that a file lacks are left out of its tables. Raises ``ExposureError`` and ``OSError``.
    """
    for file in exposure_files(directory):
        for table in read_file(file.path, columns, rows):
            yield file, table


def read_file(path: Path, columns: Sequence[str] | None = None, rows: int = ROWS) -> Iterator[Any]:
    """Yield the whole requests of a file as Arrow tables of about ``rows`` rows; a request is never split.

    Raises ``ExposureError``.
    """
    facts(path)
    with pq.ParquetFile(path) as file:
        present = file.schema_arrow.names
        wanted = present if columns is None else [name for name in columns if name in present]
        extra = [] if "place" in wanted else ["place"]
        waiting: Any = None
        for batch in file.iter_batches(batch_size=rows, columns=[*wanted, *extra]):
            table = pa.Table.from_batches([batch])
            if waiting is not None:
                table = pa.concat_tables([waiting, table]).unify_dictionaries()
            last = int(request_starts(table)[-1]) if table.num_rows else 0
            if last:
                yield table.slice(0, last).select(wanted)
            waiting = table.slice(last)
        if waiting is not None and waiting.num_rows:
            yield waiting.select(wanted)


def request_starts(table: Any) -> NDArray[np.intp]:
    """Row of the first candidate of each request [R]: places begin at 1."""
    return np.flatnonzero(table.column("place").to_numpy() == 1)


def write_exposures(table: Any, directory: Path, model: str = "default", *, hashed: bool = False) -> list[Path]:
    """Write a table of whole requests, in the order of their times, as finished files of a log: one for each UTC day.

    Its columns are those of ``ranker.exposures.columns`` and are converted to their types. Returns the files. Raises
    ``ExposureError`` for a missing column.
    """
    kinds = {**REQUEST, **ROW}
    for name in kinds:
        if name not in table.column_names:
            raise ExposureError(f"the exposures lack the column {name!r}")
    cast = [
        table.column(name).cast(kinds[name]) if name in kinds else table.column(name) for name in table.column_names
    ]
    table = pa.table(dict(zip(table.column_names, cast, strict=True)), metadata=metadata(hashed=hashed))
    milliseconds = table.column("time").cast(pa.int64()).to_numpy()
    days = milliseconds // DAY_MS
    bounds = np.flatnonzero(np.diff(days, prepend=-1, append=-1))
    files = []
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        begun = datetime.fromtimestamp(int(milliseconds[start]) / 1000, UTC)
        name = new_name(model, begun, next(_numbers))
        path = directory / f"date={begun.date().isoformat()}" / f"{name}.parquet"
        with replacing(path) as partial:
            write_table(table.slice(start, stop - start), partial)
        files.append(path)
    return files
