"""Tables in memory, stored as Parquet: what reads a log's files then resumes, exports, compares and searches them."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from training.data.errors import DataError

Table: TypeAlias = "pd.DataFrame | pa.Table"

PREFIX = "table-"


def stored(table: Table, folder: Path, needed: Collection[str], note: Callable[[str], None]) -> Path:
    """Write a table into ``folder`` under a name that its content gives; one that is there already is left as it is.

    A column that Parquet cannot hold is left out, and said to ``note``. Raises ``DataError`` where it is ``needed``,
    and for what is no table.
    """
    if isinstance(table, pd.DataFrame):
        arrow = _of_frame(table, needed, note)
    elif isinstance(table, pa.Table):
        arrow = table
    else:
        raise DataError(f"data: must be a DataFrame, an Arrow table or paths of files, got {type(table).__name__}")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".partial"
    pq.write_table(arrow.replace_schema_metadata(None), partial, compression="zstd")
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = folder / f"{PREFIX}{digest[:16]}.parquet"
    if path.exists():
        partial.unlink()  # the file stays: by its time, a run knows that it is the same
    else:
        partial.replace(path)
    return path


def prune(kept: Path) -> None:
    """Remove the other stored tables of a folder: those of runs that the present one has replaced."""
    for path in kept.parent.glob(f"{PREFIX}*.parquet"):
        if path != kept:
            path.unlink()


def _of_frame(frame: pd.DataFrame, needed: Collection[str], note: Callable[[str], None]) -> pa.Table:
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1 and name in needed]
    if twice:
        raise DataError(f"DataFrame has the column {twice[0]!r} more than once; which one is meant?")
    arrays, kept = [], []
    for place, name in enumerate(names):
        try:
            array = pa.Array.from_pandas(frame.iloc[:, place])
            _require_parquet(array)
        except (pa.ArrowException, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            if name in needed:
                raise DataError(f"DataFrame, column {name!r}: {reason}") from None
            note(f"DataFrame: column {name!r} is left out, since it cannot be stored: {reason}")
            continue
        arrays.append(array)
        kept.append(name)
    return pa.table(arrays, names=kept)


def _require_parquet(array: pa.Array) -> None:
    """Raise where Parquet has no such type, before the whole table is written."""
    pq.write_table(pa.table({"column": array.slice(0, 1)}), pa.BufferOutputStream())
