"""Features of items or users by id, for exposures that were logged without them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ranker.log_files.find import find_files
from ranker.log_files.log_reader import DataError
from training.exposures.keys import as_text, hashed_units


class Lookup:
    """Rows by id from Parquet files, held in memory.

    Attributes
    ----------
    columns
        The columns that it gives.
    """

    def __init__(self, table: pa.Table, key: str, file: str, salt: str | None = None) -> None:
        """Raise ``DataError`` for an id that is null or comes twice. With a ``salt``, ids are hashed as units are."""
        ids = as_text(table[key], f"{file}, column {key!r}")
        if ids.null_count:
            raise DataError(f"{file}, column {key!r}: has {ids.null_count} row(s) without an id")
        if len(pc.unique(ids)) < len(ids):
            counts = pc.value_counts(ids)
            twice = counts.filter(pc.greater(counts.field(1), 1))[0]
            raise DataError(f"{file}, column {key!r}: has the id {twice['values'].as_py()!r} more than once")
        if salt is not None:
            ids = hashed_units(ids, salt)
        self._ids, self._table = ids, table
        self.columns = table.column_names

    @classmethod
    def read(cls, option: str, source: Path, key: str, columns: Sequence[str], salt: str | None = None) -> "Lookup":
        """Read the key and those of the columns that the files have. Raises ``DataError`` naming the option."""
        files = find_files([source]).files
        tables = []
        for file in files:
            try:
                known = pq.read_schema(str(file)).names
                if key not in known:
                    raise DataError(f"{option} {file}: has no column {key!r}, the id (columns: {', '.join(known)})")
                tables.append(
                    pq.read_table(str(file), columns=[c for c in dict.fromkeys([key, *columns]) if c in known])
                )
            except pa.ArrowInvalid as error:
                raise DataError(f"{option} {file}: is not a Parquet file: {error}") from None
        try:
            whole = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(f"{option} {source}: its files have columns of different types: {error}") from None
        return cls(whole, key, str(source), salt)

    def rows(self, ids: Any) -> dict[str, Any]:
        """``table``: the rows of ids [N], null where one is unknown; ``unknown``: how many are."""
        places = pc.index_in(as_text(ids, "exposures"), value_set=self._ids)
        return {"table": self._table.take(places), "unknown": places.null_count}
