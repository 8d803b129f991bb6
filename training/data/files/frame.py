"""DataFrames as logs."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from training.data.errors import DataError
from training.data.files.parquet import CHUNK
from training.data.files.part import Batch, Part


class FramePart(Part):
    """A DataFrame."""

    name = "DataFrame"

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.rows = len(frame)

    def own_columns(self) -> list[str]:
        """Column names as text."""
        return [str(name) for name in self.frame.columns]

    def batches(self, columns: Sequence[str]) -> Iterator[Batch]:
        """Stream columns."""
        names = self.own_columns()
        indices = [names.index(column) for column in columns]
        for start in range(0, len(self.frame), CHUNK):
            part = self.frame.iloc[start : start + CHUNK, indices]
            try:
                table = pa.Table.from_pandas(part, preserve_index=False).combine_chunks()
            except (pa.ArrowException, TypeError) as error:
                raise DataError(f"{self.name}: {error}") from None
            arrays = [pa.concat_arrays(column.chunks) for column in table.columns]
            yield len(part), dict(zip(columns, arrays, strict=True))

    def fingerprint(self) -> Any:
        """A hash of all values."""
        return [self.name, int(pd.util.hash_pandas_object(self.frame.astype(str)).sum() & 0x7FFFFFFFFFFFFFFF)]
