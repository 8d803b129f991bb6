"""Conversion of ids to the type that the schema declares."""

import numpy as np
import pytest

from ranker.encoding import ColumnError, Ragged, Text
from ranker.encoding.columns import integers
from ranker.encoding.declared import as_declared, parsed


@pytest.mark.parametrize(
    "column",
    [
        [7, -3, None, 2**60 + 1],
        ["7", "-3", None, str(2**60 + 1)],
        [7, "-3", None, 2**60 + 1],
        Text.of(["7", "-3", None, str(2**60 + 1)]),
        np.ma.MaskedArray([7, -3, 1, 2**60 + 1], [0, 0, 1, 0]),
    ],
    ids=lambda column: type(column).__name__,
)
def test_a_declared_type_accepts_integers_and_text(column):
    assert as_declared(column, "x", "string").__class__ in (list, Text)
    assert list(as_declared(column, "x", "string")) == ["7", "-3", None, str(2**60 + 1)]
    assert integers(as_declared(column, "x", "integer"), "x").tolist() == [7, -3, -(2**63), 2**60 + 1]


@pytest.mark.parametrize("text", ["02134", "1.0", "1e3", "", " 7", "٣", "abc", str(2**63), "-" + str(2**63)])
@pytest.mark.parametrize("form", [list, Text.of])
def test_text_that_is_not_an_integer_is_rejected_with_its_row(form, text):
    with pytest.raises(ColumnError) as caught:
        integers(as_declared(form(["7", None, text]), "x", "integer"), "x")
    assert caught.value.row == 2
    assert str(caught.value.value) == text


@pytest.mark.parametrize(
    "column", [[True], np.array([True]), [1.5], np.array([1.5]), np.array(["2024"], "M8[us]"), [[1]]]
)
def test_values_that_are_neither_text_nor_integers_are_rejected(column):
    with pytest.raises(ColumnError):
        as_declared(column, "x", "string")


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        ("integer", str(2**63 - 1), 2**63 - 1),
        ("integer", str(-(2**63) + 1), -(2**63) + 1),
        ("unsigned", str(2**64 - 1), 2**64 - 1),
        ("unsigned", "0", 0),
    ],
)
def test_digits_are_exact_up_to_the_limits_of_64_bits(declared, text, expected):
    values = as_declared(Text.of([None, text, text]), "x", declared)
    assert values.tolist() == [None, expected, expected]


@pytest.mark.parametrize(("declared", "text"), [("unsigned", "-1"), ("unsigned", str(2**64)), ("integer", str(2**63))])
def test_digits_out_of_range_are_rejected_with_row_and_range(declared, text):
    with pytest.raises(
        ColumnError, match=rf"column 'x', row 1: '{text}' is not an integer without leading zeros, from"
    ):
        as_declared(Text.of(["7", text]), "x", declared)


def test_columns_of_the_declared_type_are_returned_unchanged():
    for column, declared in ((np.array([1, 2]), "integer"), (Text.of(["a"]), "string")):
        assert as_declared(column, "x", declared) is column


def test_whole_floats_become_text_of_integers():
    assert list(as_declared([7.0, float("nan"), None, "a"], "x", "string"))[::3] == ["7", "a"]
    assert list(as_declared(np.array([7.0, np.nan]), "x", "string")) == ["7", None]
    with pytest.raises(ColumnError, match=r"row 1: 9007199254740992\.0 is not an exact id"):
        as_declared([1.0, 2.0**53], "x", "string")


def test_text_among_integers_is_parsed():
    assert parsed([7, "8", "+9", "-1", "0"], "x") == [7, 8, 9, -1, 0]
    with pytest.raises(ColumnError, match="row 1: '1_000' is not an integer"):
        parsed(["1", "1_000"], "x")


@pytest.mark.parametrize("declared", ["string", "integer"])
def test_lists_are_rejected_for_a_single_id(declared):
    with pytest.raises(ColumnError, match=r"row 0: \[1, 2\] is not one id per row"):
        as_declared(Ragged(np.array([1, 2]), np.array([0, 2])), "x", declared)
