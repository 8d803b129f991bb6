"""Where a split by time begins to hold rows out."""

import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import DataError
from tests.training.splits import FRAME, ROWS, parts, time


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        (time(column="date", last=1), 300),
        (time(column="text", last=2), 600),
        (time(column="date", start=7), 900),
        (time(column="text", start="2026-01-10"), 300),
        (time(column="text", start="2026-01-09T19:00:00-05:00"), 300),
        (time(column="stamp", start="2026-01-10"), 300),
        (time(column="stamp", start="2026-01-10T00:00:00Z"), 300),
        (time(column="stamp", start="2026-01-10 02:00:00+02:00"), 300),
        (time(column="stamp", last=1), 300),
        (time(column="ymd", start=20260109), 600),
        (time(column="ymd", start="20260109"), 600),
        (time(column="ymd", start="2026-01-09", format="%Y%m%d"), 600),
        (time(column="ymd", start=20260109, format="%Y%m%d"), 600),
        (time(column="us", last=2, format="%m/%d/%Y"), 600),
        (time(column="us", start="1/9/2026", format="%m/%d/%Y"), 600),
        (time(column="us", start="2026-01-09", format="%m/%d/%Y"), 600),
        (time(column="moment", last=1), 1),
        (time(column="moment", last=1, unit="day"), 300),
        (time(column="moment", last=5, unit="hour"), 300),
        (time(column="moment", last=1, unit="week"), 1800),  # 2026-01-05 was a Monday
    ],
)
def test_the_latest_rows_are_held_out(rule, held):
    assert parts(rule) == [list(range(ROWS - held)), list(range(ROWS - held, ROWS))]


@pytest.mark.parametrize("column", ["time", "date", "text", "stamp", "moment"])
def test_a_share_by_time(column):
    assert parts(time(column=column, fraction=0.2)) == [list(range(2400)), list(range(2400, ROWS))]


@pytest.mark.parametrize("wrong", ["0001-01-01", "1970-01-01", "9999-12-31"], ids=["year 1", "year 1970", "year 9999"])
@pytest.mark.parametrize("kind", ["instants", "seconds", "doubles", "text"])
def test_one_wrong_time_moves_one_row(wrong, kind):
    when = FRAME["stamp"].to_numpy("datetime64[us]") + np.arange(ROWS).astype("timedelta64[us]")
    when[7] = np.datetime64(wrong)
    seconds = when.astype(np.int64) // 1_000_000
    column = {
        "instants": when,
        "seconds": seconds * 1_000_000 + np.arange(ROWS),
        "doubles": seconds + np.arange(ROWS) / ROWS,
        "text": [str(value) for value in when],
    }[kind]
    _, validation = parts(time(column="at", fraction=0.2), FRAME.assign(at=column))
    assert len(validation) == 600
    expected = {*range(2400, ROWS)} if wrong < "2026" else {7, *range(2401, ROWS)}
    assert set(validation) == expected


def test_rows_of_one_value_stay_together():
    frame = pd.DataFrame({"row": range(10), "t": [1, 2, 2, 2, 2, 2, 2, 2, 2, 3]})
    assert parts(time(column="t", fraction=0.2), frame)[1] == list(range(1, 10))
    frame = frame[1:]  # to hold out all of 2 would leave nothing to train on
    assert parts(time(column="t", fraction=0.2), frame)[1] == [9]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            time(column="date", last=1),
            "last: 1 leaves no row to train on: column 'date' holds numbers from 0 to 0, only 1 distinct .* 100 rows",
        ),
        (
            time(column="moment", last=1, unit="day"),
            r"'moment' holds dates or times from 2026-01-01 to 2026-01-01T01:39:00Z, only 1 day\(s\) with rows in 100",
        ),
        (time(column="date", fraction=0.1), "nothing can be held out: column 'date' holds numbers from 0 to 0, one"),
        (
            time(column="time", start=0),
            "start 0 leaves no row to train on: column 'time' holds numbers from 0 to 99000, in 100 rows",
        ),
        (time(column="time", start=99_001), "start 99001 holds out no row to validate on: .* from 0 to 99000, in 100"),
        (
            time(column="stamp", start="2027-01-01"),
            "start 2027-01-01 holds out no row to validate on: .* from 2026-01-01 to 2026-01-01, in 100 rows",
        ),
    ],
)
def test_a_side_without_rows_is_told_with_the_range_of_the_column(rule, message):
    with pytest.raises(DataError, match=message):
        parts(rule, FRAME[:100])


def test_a_missing_time_is_named():
    frame = pd.DataFrame({"row": [1, 2], "date": [1.0, np.nan]})
    with pytest.raises(DataError, match=r"\.parquet, row 1, column 'date': no value to split by time on"):
        parts(time(column="date", last=1), frame)


@pytest.mark.parametrize(
    ("column", "start", "message"),
    [
        ("time", "monday", "start: 'monday' is neither a number nor a date; column 'time' holds numbers from 0 to 29"),
        (
            "seconds",
            "2026-01-09",
            "column 'seconds' holds numbers from 1767225600 to 1768003200; 2026-01-09 is a date; "
            "as seconds since 1970 it is 1767916800",
        ),
        ("milliseconds", "2026-01-09", "2026-01-09 is a date; as milliseconds since 1970 it is 1767916800000"),
        (
            "ymd",
            "2026-01-09",
            "column 'ymd' holds numbers from 20260101 to 20260110; 2026-01-09 is a date; write start: 20260109, or "
            "format: '%Y%m%d'",
        ),
        (
            "stamp",
            1767916800,
            "column 'stamp' holds dates or times from 2026-01-01 to 2026-01-10; 1767916800 is a number; write a date",
        ),
        ("text", "friday", "column 'text' holds .*'friday' is not a date or time in ISO form"),
    ],
)
def test_a_start_of_another_kind_is_refused_with_what_to_write(column, start, message):
    seconds = FRAME["stamp"].to_numpy("datetime64[s]").astype(np.int64)
    frame = FRAME.assign(seconds=seconds, milliseconds=seconds * 1000)
    with pytest.raises(DataError, match=message):
        parts(time(column=column, start=start), frame)


def test_units_are_of_times():
    with pytest.raises(DataError, match=r"unit: day needs dates or times; column 'time' holds numbers from 0 to 2999"):
        parts(time(column="time", last=1, unit="day"))
