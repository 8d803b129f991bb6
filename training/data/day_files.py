"""Splits a log into a folder of Parquet files for each day."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ranker.config.closed import Closed
from ranker.encoding.columns import Integers
from ranker.log_files.log_reader import LIST_BY, ArrowChunk, DataError, Log
from training.data.days import DayClock, Unit
from training.progress_listener import Progress, no_progress

DAY = "backtest_day"
"""Column of the files with the number of the day."""
ROWS = "days.json"


class DayFiles(Closed):
    """What was written: rows by day in ascending order, and what days were counted by."""

    key: str
    unit: Unit
    rows: dict[int, int]


def write_days(
    log: Log,
    clock: DayClock,
    columns: Sequence[str],
    optional: Sequence[str],
    folder: Path,
    key: str,
    progress: Progress = no_progress,
) -> DayFiles:
    """Write stored columns of a log, and :data:`DAY`, into ``folder/DAY_NUMBER``.

    Files written before under the same ``key`` are kept, and others are deleted. Raises ``DataError`` for a value that
    is no time, for a list of the log's ``lists`` that spans days, and if the folder holds files of the log itself.
    """
    mark = folder / ROWS
    if mark.is_file() and (known := DayFiles.model_validate_json(mark.read_bytes())).key == key:
        return known
    if inside := [path for path in log.paths() if Path(path).resolve().is_relative_to(folder.resolve())]:
        raise DataError(
            f"{inside[0]}: is a file of the log in {folder}, whose content is replaced; choose another output"
        )
    shutil.rmtree(folder, ignore_errors=True)
    counts: dict[int, int] = {}
    with ExitStack() as files:
        writers: dict[int, pq.ParquetWriter] = {}
        source, number = "", -1
        wanted = list(dict.fromkeys([*columns, *clock.columns]))
        for chunk, days in _dated(log, clock, wanted, optional):
            if chunk.source != source:  # files may differ in their types
                files.close()
                writers, source, number = {}, chunk.source, number + 1
            stamped = pa.table(dict(chunk.arrays)).append_column(DAY, pa.array(days))
            for day in np.unique(days).tolist():
                if day not in writers:
                    (folder / str(day)).mkdir(parents=True, exist_ok=True)
                    file = folder / str(day) / f"{number:05}.parquet"
                    writers[day] = files.enter_context(pq.ParquetWriter(file, stamped.schema))
                rows = stamped.filter(pa.array(days == day))
                writers[day].write_table(rows)
                counts[day] = counts.get(day, 0) + rows.num_rows
            progress("split by day", chunk.rows)
    if not counts or clock.unit is None:
        raise DataError("the log has no rows")
    written = DayFiles(key=key, unit=clock.unit, rows=dict(sorted(counts.items())))
    mark.write_text(written.model_dump_json())
    return written


def _dated(
    log: Log, clock: DayClock, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[tuple[ArrowChunk, Integers]]:
    """Chunks with the day [N] of each row. Raises ``DataError`` for a list that spans days, as it would be cut."""
    for block in log.list_blocks(columns, optional):
        days = [clock.of(chunk.converted(clock.columns)) for chunk in block.chunks]
        if block.starts is not None:
            whole = np.concatenate(days)
            first = np.repeat(block.starts, np.diff(block.starts, append=len(whole)))
            if (other := np.flatnonzero(whole != whole[first])).size:
                row = int(other[0])
                begun = block.place(int(first[row]))
                raise DataError(
                    f"{block.place(row)}: is of another day than the first row of its list ({begun}), and a backtest "
                    f"splits the log by day; name columns in {LIST_BY} that identify one request"
                )
        yield from zip(block.chunks, days, strict=True)
