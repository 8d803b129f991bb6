from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.iso_times import DAY_MS
from training.exposures import parts as module
from training.exposures.parts import DayParts


def test_rows_go_to_files_of_their_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_ROWS", 3)
    parts = DayParts(tmp_path / "work", tmp_path / "log", 7)
    for first, days in ((0, [0, 0, 1]), (3, [1, 1, 1]), (6, [0])):
        rows = pa.table({"row": np.arange(first, first + len(days))})
        parts.write(rows, np.array(days) * DAY_MS + 5)
    parts.close()
    found = {
        str(target.relative_to(tmp_path / "log")): pq.read_table(source)["row"].to_pylist()
        for source, target in parts.files.items()
    }
    assert found == {
        "date=1970-01-01/join-000007-0000.parquet": [0, 1],
        "date=1970-01-02/join-000007-0001.parquet": [2, 3, 4, 5],
        "date=1970-01-01/join-000007-0002.parquet": [6],
    }
    assert parts.rows == {"1970-01-01": 3, "1970-01-02": 4}
