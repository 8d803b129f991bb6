"""Parquet files."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ranker.config.csv_options import CsvOptions
from ranker.log_files.magic import check_format
from ranker.log_files.part import FILE_FORMATS, Batch, FilePart
from ranker.remote_files import Location, input_file

CHUNK = 65_536


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

    def own_columns(self) -> list[str]:
        """Names of the file's columns."""
        return self._columns

    def type_of(self, column: str) -> pa.DataType | None:
        """The column's type in the file's schema; None for a duplicate column."""
        return self.schema.field(column).type if self._columns.count(column) == 1 else None

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns."""
        self.check_unchanged()
        with self.naming_file(), input_file(self.path) as source, pq.ParquetFile(source, pre_buffer=False) as file:
            # PyArrow treats column names as paths: `a` also reads `a.b`, which is ignored here.
            for batch in file.iter_batches(batch_size=CHUNK, columns=list(columns), use_threads=False):
                yield batch.num_rows, {name: batch.column(name) for name in columns}
