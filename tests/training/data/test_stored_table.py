import decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.log_files.errors import DataError
from training.data.stored_table import prune, stored


def test_a_table_keeps_its_values_and_its_file(tmp_path):
    frame = pd.DataFrame({"id": ["a", None], "n": [1.5, np.nan], "tags": [[1, 2], None]}, index=["x", "y"])
    path = stored(frame, tmp_path, ["id"], print)
    assert pq.read_table(path).to_pydict() == {"id": ["a", None], "n": [1.5, None], "tags": [[1, 2], None]}
    before = path.stat().st_mtime_ns
    assert stored(frame.copy(), tmp_path, ["id"], print) == path
    assert path.stat().st_mtime_ns == before
    assert stored(pa.table({"id": ["a", None]}), tmp_path, [], print) != path


def test_processes_that_store_one_table_at_once_all_read_one_file(tmp_path, monkeypatch):
    """While one writes, another one writes, too, and is done before."""
    frame, real, others = pd.DataFrame({"id": [1, 2]}), pq.write_table, []

    def write(table, to, **options):
        real(table, to, **options)
        if isinstance(to, Path) and not others:
            others.append(None)
            others[0] = stored(frame, tmp_path, [], print).stat().st_mtime_ns

    monkeypatch.setattr(pq, "write_table", write)
    path = stored(frame, tmp_path, [], print)
    assert others == [path.stat().st_mtime_ns]
    assert pq.read_table(path).to_pydict() == {"id": [1, 2]}
    assert list(tmp_path.iterdir()) == [path]


def test_order_tells_tables_apart_and_only_the_kept_one_stays(tmp_path):
    one = stored(pd.DataFrame({"id": [1, 2]}), tmp_path, [], print)
    other = stored(pd.DataFrame({"id": [2, 1]}), tmp_path, [], print)
    assert one != other
    prune(other)
    assert list(tmp_path.iterdir()) == [other]


def test_what_parquet_cannot_hold_is_left_out_unless_it_is_needed(tmp_path):
    frame = pd.DataFrame({"id": [1, 2], "mixed": [1, "a"], "object": [object(), object()]})
    notes = []
    assert pq.read_table(stored(frame, tmp_path, ["id"], notes.append)).column_names == ["id"]
    assert [note.partition(" is left out")[0] for note in notes] == [
        "DataFrame: column 'mixed'",
        "DataFrame: column 'object'",
    ]
    with pytest.raises(DataError, match="DataFrame, column 'mixed': "):
        stored(frame, tmp_path, ["mixed"], print)


def test_a_column_that_is_there_twice_is_refused_where_it_is_read(tmp_path):
    frame = pd.DataFrame([[1, 2]], columns=["id", "id"])
    with pytest.raises(DataError, match="has the column 'id' more than once"):
        stored(frame, tmp_path, ["id"], print)


def test_decimals_stay_exact(tmp_path):
    frame = pd.DataFrame({"price": [decimal.Decimal("20000000000000000001.5")]})
    path = stored(frame, tmp_path, [], print)
    assert pq.read_table(path)["price"][0].as_py() == decimal.Decimal("20000000000000000001.5")
