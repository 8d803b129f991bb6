"""Stores in-memory tables as Parquet, so that runs on them can be resumed, exported, compared and searched."""

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.log_files.errors import DataError

Table: TypeAlias = "pd.DataFrame | pa.Table"

PREFIX = "table-"


def stored(table: Table, folder: Path, needed: Collection[str], note: Callable[[str], None]) -> Path:
    """Write a table into ``folder``, named by a hash of its content; an existing file is kept unchanged.

    Columns that Parquet cannot hold are left out with a ``note``. Raises ``DataError`` if such a column is ``needed``,
    and if ``table`` is not a table.
    """
    if isinstance(table, pd.DataFrame):
        arrow = _of_frame(table, needed, note)
    elif isinstance(table, pa.Table):
        arrow = table
    else:
        raise DataError(f"data: must be a DataFrame, an Arrow table or paths of files, got {type(table).__name__}")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=folder) as own:  # workers that train together store the same table at once
        partial = Path(own) / "table"
        pq.write_table(arrow.replace_schema_metadata(None), partial, compression="zstd")
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        path = folder / f"{PREFIX}{digest[:16]}.parquet"
        if not path.exists():  # else keep the file, because a run identifies it by its modification time
            partial.replace(path)
    return path


def prune(kept: Path) -> None:
    """Delete the other stored tables of a folder, which belong to replaced runs."""
    for path in kept.parent.glob(f"{PREFIX}*.parquet"):
        if path != kept:
            path.unlink()


def _of_frame(frame: pd.DataFrame, needed: Collection[str], note: Callable[[str], None]) -> pa.Table:
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1 and name in needed]
    if twice:
        raise DataError(f"DataFrame has the column {twice[0]!r} more than once; which one is meant?")
    arrays, stored_names = [], []
    for i, name in enumerate(names):
        try:
            array = pa.Array.from_pandas(frame.iloc[:, i])
            _require_parquet(array)
        except (pa.ArrowException, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            if name in needed:
                raise DataError(f"DataFrame, column {name!r}: {reason}") from None
            note(f"DataFrame: column {name!r} is left out because it cannot be stored: {reason}")
            continue
        arrays.append(array)
        stored_names.append(name)
    return pa.table(arrays, names=stored_names)


def _require_parquet(array: pa.Array) -> None:
    """Raise an Arrow error if Parquet does not support the type, before the whole table is written."""
    pq.write_table(pa.table({"column": array.slice(0, 1)}), pa.BufferOutputStream())
