from datetime import UTC, date, datetime

import numpy as np
import pytest

from ranker.encoding import Ragged
from ranker.encoding.text import Text
from ranker.log_files.log_reader import Chunk, DataError
from training.data.split.time_column import TimeColumn, parse, shown, started

NOON = "2024-01-09T12:00:00Z"


def chunk(values, source="a.parquet"):
    return Chunk(source, 10, 10, len(values), {"t": values})


def texts(*values):
    return np.array([*values, None], dtype=object)[:-1]


def instant(text):
    return int(np.datetime64(text, "us").astype(np.int64))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-01-09", "2024-01-09T00:00:00"),
        ("2024-01-09T18:30", "2024-01-09T18:30:00"),
        ("2024-01-09 18:30:05", "2024-01-09T18:30:05"),
        ("2024-01-09T18:30:05.25Z", "2024-01-09T18:30:05.25"),
        ("2024-01-09T18:30:05.123456789", "2024-01-09T18:30:05.123456"),
        ("2024-01-09T18:30:05+02:00", "2024-01-09T16:30:05"),
        ("2024-01-09 18:30:05-0530", "2024-01-10T00:00:05"),
        ("2024-01-09 18:30:05 +02", "2024-01-09T16:30:05"),
        ("0001-01-01", "0001-01-01"),
        ("9999-12-31T23:59:59.999999", "9999-12-31T23:59:59.999999"),
    ],
)
def test_text_in_iso_form_is_an_instant_of_utc(text, same):
    for column in (texts(text), Text.of([text]), texts(f" {text} ")):
        found = TimeColumn("t").of(chunk(column))
        assert (found.kind, found.values.tolist()) == ("instant", [instant(same)])


@pytest.mark.parametrize(
    "text",
    ["2024-1-9", "1/9/2024", "09.01.2024", "2024-13-01", "2024-02-30", "2024-01-09T25:00", "Jan 9", "2024-W02-1"],
)
def test_text_in_another_form_is_named_with_its_row(text):
    for column in (texts("2024-01-01", "2024-01-02", text), Text.of(["2024-01-01", "2024-01-02", text])):
        with pytest.raises(
            DataError, match=r"a.parquet, row 12, column 't': '.*' is not a date .* data\.split\.format"
        ):
            TimeColumn("t").of(chunk(column))


def test_a_format_reads_text_and_whole_numbers():
    found = TimeColumn("t", "%m/%d/%Y").of(chunk(texts("12/31/2024", "1/9/2024")))
    assert found.values.tolist() == [instant("2024-12-31"), instant("2024-01-09")]
    found = TimeColumn("t", "%Y%m%d").of(chunk(np.array([20241231, 20240109], np.int32)))
    assert found.values.tolist() == [instant("2024-12-31"), instant("2024-01-09")]
    found = TimeColumn("t", "%d.%m.%y %H:%M %z").of(chunk(texts("09.01.24 14:00 +0200")))
    assert found.values.tolist() == [instant("2024-01-09T12:00")]
    with pytest.raises(
        DataError, match=r"row 11, column 't': '2024-01-10' is not a time in the format data.split.format '%m/%d/"
    ):
        TimeColumn("t", "%m/%d/%Y").of(chunk(texts("1/9/2024", "2024-01-10")))


@pytest.mark.parametrize(
    "values",
    [
        np.array([5, 3, 4], dtype=np.int8),
        np.array([5, 3, 4], dtype=np.uint64),
        np.array([5, 3, 4], dtype=np.float32),
        np.ma.MaskedArray([5, 3, 4], mask=False),
        texts("5", "3", "4"),
        Text.of(["5", "3", "4"]),
    ],
)
def test_numbers_of_every_type(values):
    found = TimeColumn("t").of(chunk(values))
    assert (found.kind, found.values.tolist()) == ("number", [5, 3, 4])


@pytest.mark.parametrize("unit", ["D", "s", "ms", "us"])
def test_timestamps_of_every_unit(unit):
    found = TimeColumn("t").of(chunk(np.array(["2024-01-09", "1969-12-31"], dtype=f"datetime64[{unit}]")))
    assert (found.kind, found.values.tolist()) == ("instant", [instant("2024-01-09"), instant("1969-12-31")])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1.0, np.nan]), "row 11, column 't': no value to split by time on"),
        (np.ma.MaskedArray([1, 2], mask=[False, True]), "row 11, column 't': no value to split by time on"),
        (np.array(["2024-01-09", "NaT"], "datetime64[us]"), "row 11, column 't': no value to split by time on"),
        (texts("2024-01-09", None), "row 11, column 't': no value to split by time on"),
        (Text.of(["2024-01-09", None]), "row 11, column 't': no value to split by time on"),
        (Text.of(["2024-01-09", ""]), "row 11, column 't': no value to split by time on"),
        ([None, None], "row 10, column 't': no value to split by time on"),
        (np.array([1.0, np.inf]), "row 11, column 't': inf is not a finite number"),
        (np.array([1, 2**63], np.uint64), "row 11, column 't': 9223372036854775808 is not a time"),
        (texts("2024-01-09", "20240109"), "row 11, column 't': '20240109' is not a date .* like other values"),
        (np.array([True, False]), "column 't': holds booleans; a split by time needs one timestamp, date, number or"),
        (Ragged(np.array([1, 2]), np.array([0, 1, 2])), "column 't': holds lists; a split by time needs one"),
    ],
)
def test_what_is_no_time_is_named(values, message):
    with pytest.raises(DataError, match=message):
        TimeColumn("t").of(chunk(values))


def test_files_of_one_kind_compare_and_others_are_named():
    column = TimeColumn("t")
    for values in (np.array(["2024-01-09T12:00"], "datetime64[us]"), texts(NOON), texts("2024-01-09T13:00:00+01:00")):
        assert column.of(chunk(values)).values.tolist() == [instant("2024-01-09T12:00")]
    with pytest.raises(DataError, match=r"'t' holds dates or times in a\.parquet and numbers in b\.csv; times can be"):
        column.of(chunk(np.array([20240109]), "b.csv"))


@pytest.mark.parametrize(
    ("start", "kind", "expected"),
    [
        (NOON, "instant", instant("2024-01-09T12:00")),
        (date(2024, 1, 9), "instant", instant("2024-01-09")),
        (datetime(2024, 1, 9, 12), "instant", instant("2024-01-09T12:00")),
        (datetime(2024, 1, 9, 12, tzinfo=UTC), "instant", instant("2024-01-09T12:00")),
        (20240109, "number", 20240109),
        ("20240109", "number", 20240109),
        (1.5, "number", 1.5),
        (20240109, "instant", None),
        (NOON, "number", None),
        (date(2024, 1, 9), "number", None),
        ("monday", "instant", None),
    ],
)
def test_a_start_is_read_as_the_column_is(start, kind, expected):
    assert started(start, kind) == expected


def test_instants_are_shown_in_iso_form_that_reads_back():
    for text in ("2024-01-09", "2024-01-09T12:00:00Z", "2024-01-09T12:00:00.500000Z"):
        instants, good = parse([text])
        assert good.all()
        assert shown(int(instants[0]), "instant") == text
    assert shown(17, "number") == "17"
