"""Every Arrow type, with and without nulls, whole and sliced, gives the column that its values say."""

import datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from ranker.arrow_columns import ColumnTooLargeError, ColumnTypeError, Limits, to_column
from ranker.encoding import ColumnError, Ragged, Text
from ranker.encoding.columns import integers, numbers
from ranker.encoding.lists import list_codes
from ranker.encoding.vocabulary import Vocabulary

DAY = 86_400 * 10**6
WORDS = ["a", "", "b" * 40]
BYTES = [b"a", b"", b"\xc3\xbc"]
LISTS = [[1, None], [], [3]]
# Type, values, and what the encoder reads them as.
TYPES = [
    *((kind, [1, 2, 3], [1, 2, 3]) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())),
    *((kind, [1, 2, 3], [1, 2, 3]) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())),
    *((kind, [1.0, 2.5, -3.0], [1.0, 2.5, -3.0]) for kind in (pa.float16(), pa.float32(), pa.float64())),
    (pa.bool_(), [True, False, True], [1, 0, 1]),
    (pa.decimal128(19, 0), [Decimal(2**60 + n) for n in (1, 2, 3)], [2**60 + n for n in (1, 2, 3)]),
    (pa.decimal128(20, 0), [Decimal(2**63 + n) for n in (1, 2, 3)], [2**63 + n for n in (1, 2, 3)]),
    (pa.decimal128(20, 2), [Decimal("0.10"), Decimal("1.29"), Decimal(3)], [0.1, 1.29, 3.0]),
    (pa.decimal256(60, 0), [Decimal(10**40), Decimal(2), Decimal(3)], [1e40, 2.0, 3.0]),
    (pa.decimal32(5, 1), [Decimal(1), Decimal(2), Decimal(3)], [1, 2, 3]),
    (pa.decimal64(10, 0), [Decimal(-1), Decimal(2), Decimal(3)], [-1, 2, 3]),
    (pa.timestamp("s"), [0, -5, 10], [0, -5 * 10**6, 10**7]),
    (pa.timestamp("ms", "Europe/Zurich"), [0, -5, 10], [0, -5000, 10_000]),
    (pa.timestamp("us", "UTC"), [0, -5, 10], [0, -5, 10]),
    (pa.timestamp("ns"), [-1, 1, 1999], [-1, 0, 1]),
    (pa.date32(), [0, -1, 365], [0, -DAY, 365 * DAY]),
    (pa.date64(), [0, -86_400_000, 86_400_000], [0, -DAY, DAY]),
    *((kind, WORDS, WORDS) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    *((kind, BYTES, ["a", "", "ü"]) for kind in (pa.binary(), pa.large_binary(), pa.binary_view())),
    (pa.binary(2), [b"aa", b"bb", b"cc"], ["aa", "bb", "cc"]),
    (pa.dictionary(pa.int8(), pa.string()), WORDS, WORDS),
    (pa.dictionary(pa.uint16(), pa.large_string()), WORDS, WORDS),
    (pa.dictionary(pa.int32(), pa.int64()), [7, 8, 7], [7, 8, 7]),
    (pa.dictionary(pa.int32(), pa.float64()), [7.5, 8.0, 7.5], [7.5, 8.0, 7.5]),
    *((kind(pa.int64()), LISTS, LISTS) for kind in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)),
    (pa.list_(pa.float32(), 2), [[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]]),
    (pa.list_(pa.string()), [["a", None], [], ["b"]], [["a", None], [], ["b"]]),
    (pa.large_list(pa.string_view()), [["a", None], [], ["b"]], [["a", None], [], ["b"]]),
    (pa.list_(pa.timestamp("ns")), [[-1, None], [], [1999]], [[-1, None], [], [1]]),
    (pa.list_(pa.bool_()), [[True, None], [], [False]], [[1, None], [], [0]]),
    (pa.null(), [None, None, None], [None, None, None]),
]


def plain(column):
    """A column's values as Python's, times as microseconds, ``None`` for null; a list that is null is empty."""
    if isinstance(column, Ragged):
        values = plain(column.values)
        bounds = column.offsets.tolist()
        return [values[start:end] for start, end in pairwise(bounds)]
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        column = np.ma.MaskedArray(column.view(np.int64), np.isnat(column))
    return [None if value != value else value for value in column.tolist()] if not isinstance(column, list) else column


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize(("kind", "values", "expected"), TYPES, ids=lambda value: str(value)[:40])
def test_values_of_every_type(kind, values, expected, nulls, sliced, distinct):
    if nulls:
        values = [values[0], None, values[2]]
        expected = [expected[0], [] if isinstance(expected[1], list) else None, expected[2]]
    array = pa.array(values, kind)
    if sliced:
        array = pa.concat_arrays([array] * 3).slice(4, 3)
        expected = [*expected[1:], expected[0]]
    found = to_column(array, "x", Limits(), distinct)
    assert plain(found) == expected
    assert len(found) == 3


@pytest.mark.parametrize(("values", "kind"), [([1, None, 2], pa.int64()), (["a", None, "b"], pa.string())])
def test_run_ends_are_the_values_that_they_stand_for(values, kind):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3, 6], pa.int32()), pa.array(values, kind))
    first, _, last = values
    assert plain(to_column(runs, "x")) == [first, first, None, last, last, last]
    assert plain(to_column(runs.slice(1, 3), "x")) == [first, None, last]


def test_extension_types_are_their_storage():
    assert plain(to_column(pa.array([1, 0, None], pa.int8()).cast(pa.bool8()), "x")) == [1, 0, None]
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(6.0).reshape(2, 3))
    assert plain(to_column(tensors, "x")) == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([[[1]]]),
        pa.array([{"a": 1}]),
        pa.array([[{"a": 1}]]),
        pa.array([[(1, 2)]], pa.map_(pa.int64(), pa.int64())),
        pa.array([datetime.timedelta(1)]),
        pa.array([[datetime.timedelta(1)]]),
        pa.array([datetime.time(1)]),
        pa.nulls(1, pa.month_day_nano_interval()),
        pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]),
        pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array([["a"]])),
    ],
    ids=lambda array: str(array.type),
)
def test_a_type_that_nothing_can_have_is_named(array):
    with pytest.raises(ColumnTypeError) as caught:
        to_column(array, "x")
    assert str(caught.value) == f"column 'x' is of type {array.type}, which features and labels cannot have"


@pytest.mark.parametrize(
    ("array", "row", "expected"),
    [
        (pa.array([0, 2**62], pa.timestamp("s")), 1, "a time"),
        (pa.array([0, -(2**62)], pa.timestamp("ms")), 1, "a time"),
        (pa.array([-(2**63)], pa.timestamp("us")), 0, "a time"),
        (pa.array([None, 2**31 - 1], pa.date32()), 1, "a time"),
        (pa.array([[0], [], [0, 2**62]], pa.list_(pa.timestamp("s"))), 2, "a list whose every value is a time"),
        (pa.array([b"a", None, b"\xff"]), 2, "text in UTF-8"),
        (pa.array([b"a", b"\xff"], pa.binary_view()), 1, "text in UTF-8"),
    ],
)
def test_a_value_that_cannot_be_told_names_its_row(array, row, expected):
    with pytest.raises(ColumnError) as caught:
        to_column(array, "x")
    assert (caught.value.column, caught.value.row) == ("x", row)
    assert caught.value.expected.startswith(expected)


def test_a_time_under_a_null_is_not_looked_at():
    ticks = pa.array([2**62, 1]).buffers()[1]
    array = pa.Array.from_buffers(pa.timestamp("s"), 2, [pa.py_buffer(b"\x02"), ticks])
    assert plain(to_column(array, "x")) == [None, 10**6]


def test_a_decimal_is_read_as_its_text_is():
    texts = ["0.1", "2.675", "123456789012.3456789", "-0.3"]
    found = to_column(pa.array([Decimal(text) for text in texts], pa.decimal128(38, 10)), "x")
    assert found.tolist() == [float(text) for text in texts]


def test_limits_of_what_a_column_may_stand_for():
    few = Limits(text=10, values=3)
    words = pa.array(["abc"] * 4)
    for array in (words.dictionary_encode(), words.cast(pa.string_view())):
        with pytest.raises(ColumnTooLargeError, match="decodes to 12 bytes of text, more than the 10"):
            to_column(array, "x", few)
    views = pa.ListViewArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array([2, 2], pa.int32()), pa.array([1, 2]))
    runs = pa.RunEndEncodedArray.from_arrays([4], [1])
    for array in (pa.nulls(4), pa.array([[True] * 4]), pa.array([[None] * 4]), views, runs):
        with pytest.raises(ColumnTooLargeError, match="decodes to 4 values, more than the 3"):
            to_column(array, "x", few)
        to_column(array, "x")
    to_column(words, "x", few)  # takes the bytes that were sent


def test_times_are_known_as_times_and_read_as_microseconds():
    column = to_column(pa.array([1, None], pa.timestamp("ms")), "x")
    assert column.dtype == np.dtype("datetime64[us]")
    assert integers(column, "x").tolist() == [1000, -(2**63)]
    np.testing.assert_array_equal(numbers(column, "x"), [1000.0, np.nan])


def test_text_of_a_log_is_coded_by_its_distinct_strings():
    column = to_column(pa.array(["b", "a", None, "b"] * 100), "x", distinct=True)
    assert isinstance(column, Text)
    assert column.strings() == ["b", "a"]


WIDE, FRACTION = Decimal("18446744073709551616"), Decimal("9007199254740993.50")


@pytest.mark.parametrize(
    ("values", "row", "shown", "expected"),
    [
        ([2**60 + 1, None, FRACTION], 2, "9007199254740993.50", "a whole number"),
        ([2**60 + 1, WIDE], 1, str(WIDE), "an integer from 0 to 2**64 - 1"),
        ([2**63 + 5, 1, Decimal("1.25")], 2, "1.25", "a whole number"),
        ([-(10**30)], 0, str(-(10**30)), "an integer from"),
    ],
)
@pytest.mark.parametrize("declared", [None, "string"])
@pytest.mark.parametrize("listed", [False, True])
def test_a_decimal_that_is_no_id_names_its_own_row_and_digits(values, row, shown, expected, declared, listed):
    kind = pa.decimal128(38, 2)
    decimals = [None if value is None else Decimal(value) for value in values]
    array = pa.array([[x, None] for x in decimals], pa.list_(kind)) if listed else pa.array(decimals, kind)
    column = to_column(array, "x")
    vocabulary = Vocabulary(None, [], None if listed else declared)
    with pytest.raises(ColumnError) as caught:
        list_codes(vocabulary.add, column, "x") if listed else vocabulary.add(column, "x")
    assert caught.value.row == row
    assert f"row {row}: {shown} is not" in str(caught.value)
    if declared is None:
        assert expected in str(caught.value)


def test_parts_of_decimals_are_the_nearest_numbers():
    column = to_column(pa.array([Decimal("1.25"), Decimal("7.00")]), "x")
    assert integers(column[1:], "x").tolist() == [7]
    assert numbers(column, "x").tolist() == [1.25, 7.0]
