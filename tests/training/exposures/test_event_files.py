from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.log_files.log_reader import DataError
from training.exposures.event_files import SCHEMA, event_files, read_events

TIME = 1_769_853_600_000  # 2026-01-31T10:00:00Z


def read(file: Path) -> list[dict[str, object]]:
    tables = list(read_events(file))
    assert all(table.schema == SCHEMA for table in tables)
    return [row for table in tables for row in table.to_pylist()]


def plain(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in ("request_id", "user", "item", "kind", "time", "value"))


EXPECTED = [("r1", None, "7", "click", TIME, 1.0), (None, "u2", "8", "watch", TIME + 1500, 2.5)]


def test_parquet_csv_and_json_lines_are_read_alike(tmp_path: Path) -> None:
    columns = {
        "request_id": ["r1", None], "user": [None, "u2"], "item": [7, 8], "kind": ["click", "watch"],
        "time": pa.array([TIME, TIME + 1500], pa.timestamp("ms", tz="UTC")), "value": [None, 2.5], "more": [1, 2],
    }  # fmt: skip
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text(
        "request_id,user,item,kind,time,value\nr1,,7,click,2026-01-31T10:00:00Z,\n,u2,8,watch,2026-01-31T10:00:01.5Z,2.5\n"
    )
    (tmp_path / "c.jsonl").write_text(
        f'{{"request_id": "r1", "item": 7, "kind": "click", "time": {TIME}}}\n\n'
        f'{{"user": "u2", "item": "8", "kind": "watch", "time": {TIME + 1500}, "value": 2.5, "more": []}}\n'
    )
    assert [[plain(row) for row in read(file)] for file in event_files([tmp_path])] == [EXPECTED] * 3
    assert [file.name for file in event_files([tmp_path / "c.jsonl", tmp_path])] == ["c.jsonl", "a.parquet", "b.csv"]


@pytest.mark.parametrize(
    "time",
    [
        pa.array([TIME], pa.int64()),
        pa.array([TIME * 1000], pa.timestamp("us")),
        pa.array([TIME / 1], pa.float64()),
        pa.array(["2026-01-31 11:00:00+01:00"]),
    ],
)
def test_times_are_milliseconds_timestamps_or_text(tmp_path: Path, time: pa.Array) -> None:
    columns = {"request_id": ["r"], "item": [1.0], "kind": pa.array(["click"]).dictionary_encode(), "time": time}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    (row,) = read(tmp_path / "a.parquet")
    assert (row["time"], row["item"], row["kind"]) == (TIME, "1", "click")


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -1e300])
def test_a_number_that_is_no_time_leaves_the_event_incomplete(tmp_path: Path, time: float) -> None:
    columns = {"request_id": ["r", "s"], "item": [1, 2], "kind": ["click", "click"], "time": [time, float(TIME)]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    assert [row["time"] for row in read(tmp_path / "a.parquet")] == [None, TIME]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"request_id": "r", "kind": "click", "time": 1}', "has no column 'item'"),
        ('{"item": 1, "kind": "click", "time": 1}', "has neither the column 'request_id' nor 'user'"),
        ("{", "line 1: is not JSON"),
        ("[1]", "line 1: is not a JSON object"),
        (
            '{"request_id": "r", "item": 1, "kind": "click", "time": 1800000000}',
            "'time': looks like seconds since 1970",
        ),
        (
            '{"request_id": "r", "item": 1, "kind": "click", "time": "noon"}',
            "row 0, column 'time': 'noon' is not a time",
        ),
        (
            '{"request_id": "r", "item": 1, "kind": "click", "time": 1, "value": "x"}',
            "'value': holds string; values are",
        ),
        ('{"request_id": "r", "item": 1, "kind": "c", "time": 1}\n{"time": "noon"}', "'time': holds values of several"),
    ],
)
def test_other_content_is_refused_by_place(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataError, match=reason):
        read(tmp_path / "a.jsonl")


@pytest.mark.parametrize("column", ["user", "item"])
def test_ids_with_a_point_in_csv_are_refused(tmp_path: Path, column: str) -> None:
    ids = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "kind": "click", "time": "2026-01-31"})
    ids.assign(**{column: [7.0, None]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=rf"column '{column}': holds numbers such as 7\.0; write ids without a point"):
        read(tmp_path / "a.csv")
    ids.assign(**{column: ["7.0", "v2"]}).to_csv(tmp_path / "a.csv", index=False)
    assert [row[column] for row in read(tmp_path / "a.csv")] == ["7.0", "v2"]


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    columns = {"user": ["u"], "item": [1], "kind": ["c"], "time": [TIME], "value": [float("inf")]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="row 0, column 'value': inf is not a finite number"):
        read(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="no such file or folder"):
        event_files([tmp_path / "none"])
