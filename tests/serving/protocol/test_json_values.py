"""Single values of JSON become those of the log."""

import pytest
from pydantic import TypeAdapter, ValidationError

from ranker.encoding.plain_times import PlainTimes
from serving.protocol.column_types import Expected
from serving.protocol.json_values import id_reader, microseconds, number_reader

GUARD = PlainTimes(count=10, extent=1_704_067_200_000_000)
NUMBERS, TIMES = number_reader(False, None), number_reader(True, GUARD)
IDS, TIME_IDS = id_reader(None, False, None), id_reader(None, True, GUARD)
TEXT, INTEGER, UNSIGNED = (id_reader(kind, False, None) for kind in ("string", "integer", "unsigned"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-01", 1_706_745_600_000_000),
        ("2024-02-01T00:00:00", 1_706_745_600_000_000),
        ("2024-02-01 00:00", 1_706_745_600_000_000),
        ("2024-02-01T00:00:00.5Z", 1_706_745_600_500_000),
        ("2024-02-01T00:00:00.123456789Z", 1_706_745_600_123_456),
        ("2024-02-01T01:00:00+01:00", 1_706_745_600_000_000),
        ("2024-02-01T01:00:00+01", 1_706_745_600_000_000),
        ("2024-01-31T19:30:00-0430", 1_706_745_600_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01", 0),
        ("0001-01-01", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999", 253_402_300_799_999_999),
    ],
)
def test_iso_text_is_microseconds(text, expected):
    assert microseconds(text) == expected
    assert TIMES(text) == TIME_IDS(text) == expected
    assert NUMBERS(text) is text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "31.1.2024",
        "2024-1-31",
        "20240131",
        "2024-W05-3",
        "2024-01-31T",
        "2024-01-31T12",
        "1706745600",
        "٢٠٢٤-01-31",
    ],
)
def test_other_text_is_no_time(text):
    for read in (microseconds, TIMES, TIME_IDS):
        with pytest.raises(ValueError, match="must be a time in ISO 8601, such as 2024-01-31"):
            read(text)


def test_days_and_hours_that_do_not_exist_are_said():
    with pytest.raises(ValueError, match=r"microseconds since 1970-01-01 UTC: day .* out of range|day is out of range"):
        microseconds("2024-02-30")
    with pytest.raises(ValueError, match=r"hour must be in 0\.\.23"):
        microseconds("2024-02-01T25:00:00")


@pytest.mark.parametrize("read", [NUMBERS, IDS, INTEGER, UNSIGNED])
def test_booleans_are_0_and_1_but_for_times_and_text(read):
    assert [read(True), read(False)] == [1, 0]
    assert type(read(True)) is int
    for refusing in (TIMES, TIME_IDS, TEXT):
        with pytest.raises(ValueError, match="must be"):
            refusing(True)


@pytest.mark.parametrize("read", [TIMES, TIME_IDS])
def test_numbers_of_another_unit_are_told(read):
    for value, unit in ((19_737, "days"), (473_700, "hours"), (1_706_745_600.0, "seconds")):
        with pytest.raises(ValueError, match=f"or ISO 8601 text; this looks like {unit}"):
            read(value)
    assert [read(value) for value in (0, None, 1_706_745_600_000_000)] == [0, None, 1_706_745_600_000_000]


def test_without_a_guard_every_number_may_be_a_time():
    assert number_reader(True, None)(19_737) == 19_737
    assert id_reader(None, True, None)(19_737) == 19_737


def test_whole_floats_are_ids_where_they_are_exact():
    found = [read(7.0) for read in (IDS, TIME_IDS, INTEGER) if read is not TIME_IDS]
    assert found == [7, 7]
    assert all(type(value) is int for value in found)
    assert type(TIME_IDS(1_706_745_600_000_000.0)) is int
    assert TEXT(7.0) == "7"
    for read in (IDS, INTEGER, TEXT):
        with pytest.raises(ValueError, match="must be an exact id: from 9007199254740992 on"):
            read(2.0**53)
    assert IDS(1.5) == 1.5  # for the type's own check to refuse


def test_declared_ids_are_read_from_either_type():
    assert TEXT(2**64 - 1) == "18446744073709551615"
    assert TEXT(2**64) == 2**64  # refused by the check that text alone passes
    assert TEXT("02134") == "02134"
    assert INTEGER("-7") == -7
    assert UNSIGNED("18446744073709551615") == 2**64 - 1
    with pytest.raises(ValueError, match="must be an integer without leading zeros"):
        INTEGER("02134")


@pytest.mark.parametrize("read", [NUMBERS, TIMES, IDS, TIME_IDS, TEXT, INTEGER])
@pytest.mark.parametrize("value", [None, [], {}])
def test_what_is_not_converted_stays_as_it_is(read, value):
    assert read(value) is value


@pytest.mark.parametrize("value", ["number", "integer", "unsigned", "string", "any"])
@pytest.mark.parametrize("temporal", [False, True])
def test_the_document_allows_booleans_where_they_are_read(value, temporal):
    column = TypeAdapter(Expected(value, temporal=temporal).column)
    try:
        read = column.validate_python([True], strict=True) == [1]
    except ValidationError:
        read = False
    assert (
        ({"type": "boolean"} in column.json_schema()["items"]["anyOf"]) == read == (value != "string" and not temporal)
    )
