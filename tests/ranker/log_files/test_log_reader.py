import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.encoding import Ragged
from ranker.log_files.log_reader import DataError, Log
from tests.training.stored import file_of

TABLE = pa.table(
    {
        "id": pa.array([1, None, 3], pa.int32()),
        "name": pa.array(["a", None, "ü"]).dictionary_encode(),
        "price": pa.array([1.5, None, 2.5]),
        "flag": pa.array([True, False, True]),
        "tags": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
        "vector": pa.array([[1.0, 2.0], [3.0, 4.0], None], pa.list_(pa.float32(), 2)),
        "day": pa.array([datetime.date(2026, 1, d) for d in (1, 2, 3)]),
    }
)


def columns(source, names):
    parts = list(Log(source, dict.fromkeys(names, "number")).chunks(names))
    return parts[0].columns if len(parts) == 1 else parts


def test_parquet_columns_of_every_type(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    got = columns([tmp_path / "a.parquet"], TABLE.column_names)
    assert np.ma.getmaskarray(got["id"]).tolist() == [False, True, False]
    assert list(got["name"]) == ["a", None, "ü"]
    np.testing.assert_array_equal(got["price"], [1.5, np.nan, 2.5])
    assert got["flag"].tolist() == [1, 0, 1]
    assert isinstance(got["tags"], Ragged)
    assert got["tags"].offsets.tolist() == [0, 2, 2, 2]
    assert got["vector"].offsets.tolist() == [0, 2, 4, 4]
    assert np.diff(got["day"].view(np.int64)).tolist() == [86_400_000_000] * 2


def test_csv_and_a_stored_table_give_the_same(tmp_path):
    frame = pd.DataFrame({"id": [1, 2, 3], "price": [1.5, np.nan, 2.5], "name": ["a", None, "b"]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    for source in ([tmp_path / "a.csv"], [file_of(frame)]):
        got = columns(source, ["id", "price"])
        assert got["id"].tolist() == [1, 2, 3]
        np.testing.assert_array_equal(got["price"], [1.5, np.nan, 2.5])


def test_folders_and_globs(tmp_path):
    for name in ("b", "a"):
        pq.write_table(pa.table({"x": [name]}), tmp_path / f"{name}.parquet")
    (tmp_path / "notes.txt").write_text("not data")
    for source in ([tmp_path], [str(tmp_path / "*.parquet")], [tmp_path / "a.parquet", tmp_path / "b.parquet"]):
        log = Log(source)
        assert len(log) == 2
        assert [next(iter(chunk.columns["x"])) for chunk in log.chunks(["x"])] == ["a", "b"]
        assert [chunk.number for chunk in log.chunks(["x"])] == [0, 1]


def test_a_missing_column_is_named_with_the_nearest(tmp_path):
    pq.write_table(TABLE, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet has no column 'prise'; did you mean 'price'"):
        columns([tmp_path / "a.parquet"], ["prise"])


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_a_truncated_file_is_named(tmp_path, keep):
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match=r"a\.parquet: is not a complete Parquet file"):
        Log([path])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.parquet", "no such file"),
        ("a.txt", "is not a log by its name; a log is .parquet"),
        ("", "no file in this folder"),
    ],
)
def test_what_is_no_log_is_said(tmp_path, name, expected):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=expected):
        Log([tmp_path / name])


def test_no_path_at_all_says_where_paths_come_from():
    with pytest.raises(DataError, match=r"--data, RANKER_DATA or data\.paths"):
        Log([])


def test_files_may_lack_a_label(tmp_path):
    pq.write_table(pa.table({"item": [1, 2], "click": [0, 1]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("item,like\n3,1\n")
    log = Log([tmp_path / "a.parquet", tmp_path / "b.csv"], {"item": "id", "like": "number"})
    first, second = log.chunks(["item", "click", "like"], optional=["click", "like"])
    np.testing.assert_array_equal(first.columns["like"], [np.nan, np.nan])
    np.testing.assert_array_equal(second.columns["click"], [np.nan])
    np.testing.assert_array_equal(second.columns["like"], [1])
    with pytest.raises(DataError, match="has no column 'lke'"):
        list(log.chunks(["item", "lke"], optional=["lke"]))
    with pytest.raises(DataError, match="has no column 'click'"):
        list(log.chunks(["item", "click"]))
