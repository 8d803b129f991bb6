"""Writes a joined log as Parquet files by UTC day."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.iso_times import DAY_MS

PART_ROWS = 1_000_000


class DayParts:
    """Parquet files ``date=YYYY-MM-DD/join-RUN-N.parquet``, written below ``work``; ``files`` says where each goes.

    Rows come day by day, so that one file is open at a time; a day that comes back gets a further file.
    """

    def __init__(self, work: Path, log: Path, run: int) -> None:
        self.files: dict[Path, Path] = {}
        self.rows: dict[str, int] = {}
        self._work, self._log, self._run = work, log, run
        self._writer: pq.ParquetWriter | None = None
        self._open: tuple[str, pa.Schema] | None = None
        self._written = 0

    def write(self, table: pa.Table, times: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
        """Append rows with times [N] in milliseconds since 1970."""
        days = times // DAY_MS
        starts = np.flatnonzero(np.diff(days, prepend=-1))
        for start, stop in zip(starts.tolist(), np.append(starts[1:], days.size).tolist(), strict=True):
            day = str(np.datetime64(int(days[start]), "D"))
            some = table.slice(start, stop - start)
            if self._open != (day, some.schema) or self._written >= PART_ROWS:
                self._begin(day, some.schema)
            assert self._writer is not None
            self._writer.write_table(some)
            self._written += some.num_rows
            self.rows[day] = self.rows.get(day, 0) + some.num_rows

    def close(self) -> None:
        """Finish the open file."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._open = None, None

    def _begin(self, day: str, schema: pa.Schema) -> None:
        self.close()
        name = f"join-{self._run:06d}-{len(self.files):04d}.parquet"
        self._work.mkdir(parents=True, exist_ok=True)
        self.files[self._work / name] = self._log / f"date={day}" / name
        self._writer = pq.ParquetWriter(self._work / name, schema, compression="zstd", compression_level=3)
        self._open, self._written = (day, schema), 0
