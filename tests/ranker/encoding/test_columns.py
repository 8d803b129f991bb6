import pickle

import numpy as np
import pytest

from ranker.encoding.columns import (
    MISSING,
    ColumnError,
    Ragged,
    common_rows,
    integers,
    numbers,
    strings,
    unequal_lengths,
)

TOP = 2**63 - 1


def test_columns_of_different_lengths_are_rejected():
    columns = {"a": [1, 2], "b": np.zeros(3), "c": [None, None], "d": []}
    assert unequal_lengths(columns) == {
        "b": "has 3 values, but a has 2: all columns must have the same length",
        "d": "has 0 values, but a has 2: all columns must have the same length",
    }
    assert unequal_lengths({}) == {}


def typed(values):
    return np.array(values, dtype=np.int64 if min(values) < 0 else np.uint64)


@pytest.mark.parametrize(
    "column",
    [
        [3, None, -1, TOP],
        (3, None, -1, TOP),
        np.array([3, None, -1, TOP], dtype=object),
        np.ma.MaskedArray([3, 0, -1, TOP], mask=[0, 1, 0, 0]),
        np.ma.MaskedArray([3, MISSING, -1, TOP], mask=[0, 1, 0, 0]),
        [np.int8(3), None, np.int64(-1), np.uint64(TOP)],
        [3.0, None, -1, TOP],
        [3, float("nan"), -1, TOP],
    ],
)
def test_integers_of_every_form(column):
    found = integers(column, "x")
    assert found.tolist() == [3, MISSING, -1, TOP]
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([0, TOP, MISSING + 1]), [0, TOP, MISSING + 1]),
        ([MISSING + 1, TOP], [MISSING + 1, TOP]),
        (np.array([0, TOP], dtype=np.uint64), [0, TOP]),
        (np.array([-128, 127], dtype=np.int8), [-128, 127]),
        (np.array([True, False]), [1, 0]),
        ([True, False, 2], [1, 0, 2]),
        ([True, None], [1, MISSING]),
        ([np.True_, None], [1, MISSING]),
        (np.array([2.0, np.nan], dtype=np.float32), [2, MISSING]),
        (np.ma.MaskedArray([2.0, np.nan, 0.5], mask=[0, 0, 1]), [2, MISSING, MISSING]),
        (np.array([2.0**53 - 1, 1 - 2.0**53]), [2**53 - 1, 1 - 2**53]),
        ([], []),
        (np.array([]), []),
        ([None, None], [MISSING, MISSING]),
    ],
)
def test_integers_at_edge_cases(column, expected):
    assert integers(column, "x").tolist() == expected


@pytest.mark.parametrize("form", [list, typed, lambda values: np.ma.MaskedArray(typed(values), mask=[0, 1, 0])])
@pytest.mark.parametrize("value", [2**63, 2**64 - 1, -(2**63)])
def test_an_integer_beyond_64_bits_is_rejected(form, value):
    with pytest.raises(ColumnError, match=rf"column 'x', row 2: {value} is not an integer from -2\*\*63 \+ 1"):
        integers(form([5, 6, value]), "x")


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        ([1, "2"], 1, "2"),
        ([1, None, "2"], 2, "2"),
        (np.array(["1", "2"]), 0, "1"),
        (np.ma.MaskedArray(["1", "2"], mask=[1, 0]), 1, "2"),
        ([1, 2.5], 1, 2.5),
        (np.array([1.0, 2.5]), 1, 2.5),
        (np.array([1.0, np.inf]), 1, np.inf),
        (np.array([1.0, 1e300]), 1, 1e300),
        ([1, float("inf")], 1, float("inf")),
        ([1, [2]], 1, [2]),
        ([1, {}], 1, {}),
        ([1, b"2"], 1, b"2"),
        (np.array([[1, 2]]), 0, [1, 2]),
        ([1, 2**80], 1, 2**80),
        ([None, MISSING, None], 1, MISSING),
    ],
)
def test_invalid_integers_are_rejected(column, row, value):
    with pytest.raises(ColumnError) as caught:
        integers(column, "x")
    assert (caught.value.column, caught.value.row, caught.value.value) == ("x", row, value)
    assert str(caught.value).startswith(f"column 'x', row {row}: ")
    assert "integer" in caught.value.expected or "whole number" in caught.value.expected


ODD = ["", "a", "a\0", "\0", "é", "e\u0301", "\ud800", "\U0001f600", " a"]


@pytest.mark.parametrize("form", [list, tuple, lambda v: np.array(v, dtype=object)])
def test_strings_keep_every_character(form):
    assert strings(form([*ODD, None]), "x") == [*ODD, None]


def test_null_strings_of_every_form():
    assert strings(np.ma.MaskedArray(["a", "b"], mask=[0, 1]), "x") == ["a", None]
    assert strings(np.array(["a", float("nan")], dtype=object), "x") == ["a", None]
    assert strings(np.array([np.nan, np.nan]), "x") == [None, None]


@pytest.mark.parametrize("value", [5, True, 1.5, b"a", ["a"]])
def test_invalid_strings_are_rejected(value):
    with pytest.raises(ColumnError, match=r"column 'x', row 1: .* is not a string"):
        strings(["a", value], "x")


@pytest.mark.parametrize(
    "column",
    [
        [1, None, 2.5, True],
        [1, float("nan"), 2.5, 1],
        np.array([1, np.nan, 2.5, 1], dtype=np.float32),
        np.array([1, None, 2.5, True], dtype=object),
        np.ma.MaskedArray([1, 7, 2.5, 1], mask=[0, 1, 0, 0]),
        [np.int32(1), None, np.float32(2.5), np.True_],
    ],
)
def test_numbers_of_every_form(column):
    np.testing.assert_array_equal(numbers(column, "x"), [1.0, np.nan, 2.5, 1.0])


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 1e39, -1e300, 10**40, 10**400])
@pytest.mark.parametrize("nulls", [[], [None]])
def test_a_number_that_32_bits_cannot_hold_is_refused(value, nulls):
    with pytest.raises(ColumnError, match=r"is not a finite number of at most 3\.4e38") as caught:
        numbers([1, *nulls, value], "x")
    assert caught.value.row == 1 + len(nulls)


@pytest.mark.parametrize("value", ["1.5", [1.0], {}, b"1", 1j])
def test_invalid_numbers_are_rejected(value):
    with pytest.raises(ColumnError, match=r"column 'x', row 1: .* is not a number") as caught:
        numbers([0.5, value], "x")
    assert caught.value.value == value


def test_text_in_an_array_is_not_a_number():
    with pytest.raises(ColumnError, match=r"row 0: '1' is not a number"):
        numbers(np.array(["1", "2"]), "x")


@pytest.mark.parametrize("read", [integers, strings, numbers])
def test_lists_are_not_values(read):
    with pytest.raises(ColumnError, match="per row"):
        read(Ragged(np.array([1]), np.array([0, 1])), "x")


def test_rows_that_columns_share():
    columns = {"a": [1, 2], "b": np.zeros(2), "c": Ragged([1], np.array([0, 0, 1])), "long": [1, 2, 3]}
    assert common_rows(columns, ["a", "b", "c"]) == 2
    assert common_rows({}, []) == 1
    with pytest.raises(ColumnError, match=r"column 'a', row 2: None is not a value; other columns have 3 rows"):
        common_rows(columns, ["a", "long"])
    with pytest.raises(ColumnError, match=r"column 'z', row 0: None is not a value; the column is missing"):
        common_rows(columns, ["a", "z"])


@pytest.mark.parametrize("column", ["abc", b"abc", 5, None, {"a": 1}])
def test_invalid_columns_are_rejected(column):
    with pytest.raises(ColumnError, match="is not a column: a list or an array"):
        common_rows({"x": column}, ["x"])


@pytest.mark.parametrize(
    ("offsets", "text"),
    [
        (np.array([0, 2]), "must run from 0 to 3"),
        (np.array([1, 3]), "must run from 0 to 3"),
        (np.array([0, 3, 2, 3]), "must not fall"),
        (np.array([], dtype=np.int64), "must run from 0 to 3"),
        (np.array([0.0, 3.0]), "1-d array of integers"),
        ([0, 3], "1-d array of integers"),
    ],
)
def test_offsets_must_divide_the_values(offsets, text):
    with pytest.raises(ValueError, match=text):
        Ragged([1, 2, 3], offsets)


def test_a_huge_integer_is_described_in_the_error():
    with pytest.raises(ColumnError, match=r"row 1: an integer of 16610 bits is not an integer from"):
        integers([1, 10**5000], "x")


def test_an_error_shows_the_head_of_a_long_value_and_crosses_processes():
    error = ColumnError("x", 3, "y" * 10_000, "a number")
    assert len(str(error)) < 150
    again = pickle.loads(pickle.dumps(error))
    assert (again.column, again.row, again.value, str(again)) == ("x", 3, "y" * 10_000, str(error))


def test_half_precision_holds_integers():
    assert integers(np.array([3.0, np.nan], dtype=np.float16), "x").tolist() == [3, MISSING]
