"""Parquet files."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.config.csv_options import CsvOptions
from ranker.log_files.magic import check_format
from ranker.log_files.part import FILE_FORMATS, Batch, FilePart
from ranker.remote_files import Location, input_file

CHUNK = 65_536
RANGE = 4 * CHUNK
"""Fewest rows of a range that is read apart from the others of its file, but for the last."""


@FILE_FORMATS.register("parquet")
class ParquetPart(FilePart):
    """A Parquet file, streamed in chunks of rows."""

    kind = "Parquet"
    endings = (".parquet", ".pq", ".parq")

    def __init__(self, path: Location, csv: CsvOptions | None = None) -> None:
        super().__init__(path, csv)
        with self.naming_file():
            check_format(path, ".parquet")
        with self.naming_file(), input_file(path) as source, pq.ParquetFile(source) as file:
            self.rows = file.metadata.num_rows
            self.schema: pa.Schema = file.schema_arrow
            self._columns = list(self.schema.names)
            self._groups = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]

    def own_columns(self) -> list[str]:
        """Names of the file's columns."""
        return self._columns

    def type_of(self, column: str) -> pa.DataType | None:
        """The column's type in the file's schema; None for a duplicate column."""
        return self.schema.field(column).type if self._columns.count(column) == 1 else None

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns."""
        return self._batches(columns, None)

    def cuts(self) -> list[int]:
        """Starts of row groups where a chunk starts, too, whatever is read before."""
        return [start for start, _ in self._ranges()]

    def batches_from(self, columns: Sequence[str], start: int) -> Iterator[Batch]:
        """Stream the row groups of a range."""
        return self._batches(columns, dict(self._ranges())[start])

    def _ranges(self) -> list[tuple[int, list[int]]]:
        """First row of each range, and its row groups."""
        found: list[tuple[int, list[int]]] = [(0, [])]
        row = 0
        for group, rows in enumerate(self._groups):
            if row % CHUNK == 0 and row - found[-1][0] >= RANGE:
                found.append((row, []))
            found[-1][1].append(group)
            row += rows
        return found

    def _batches(self, columns: Sequence[str], groups: list[int] | None) -> Iterator[Batch]:
        self.check_unchanged()
        with self.naming_file(), input_file(self.path) as source, pq.ParquetFile(source, pre_buffer=False) as file:
            # PyArrow treats column names as paths: `a` also reads `a.b`, which is ignored here.
            for batch in file.iter_batches(
                batch_size=CHUNK, row_groups=groups, columns=list(columns), use_threads=False
            ):
                yield batch.num_rows, {name: batch.column(name) for name in columns}
