import numpy as np
import pytest

from serving.protocol.formats.json_columns import may_hold_booleans, typed


def column(values, kind):
    return typed({"c": values}, {"c": kind}).get("c")


def test_numbers_become_an_array_with_nan_for_null():
    np.testing.assert_array_equal(column([1, 2.5, 0, None], "number"), [1.0, 2.5, 0.0, np.nan])


def test_integers_become_an_array_and_stay_a_list_where_one_is_null():
    found = column([3, 0, 1, 2**62], "integer")
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, [3, 0, 1, 2**62])
    assert column([3, None, 1], "integer") == [3, None, 1]


def test_strings_stay_a_list():
    assert column(["a", None, ""], "string") == ["a", None, ""]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.0, True], "number"),
        ([None, False], "number"),
        ([0.5, "1"], "number"),
        ([[1.0]], "number"),
        ([1, True], "integer"),
        ([None, False], "integer"),
        ([1, 2.0], "integer"),
        ([None, 2.0], "integer"),
        ([1, "2"], "integer"),
        ([2**63], "integer"),
        ([-(2**63)], "integer"),
        ([None, -(2**63)], "integer"),
        (["a", 1], "string"),
        ("abc", "string"),
        (None, "number"),
        (5, "integer"),
    ],
)
def test_what_a_strict_check_refuses_is_left_to_it(values, kind):
    assert column(values, kind) is None


@pytest.mark.parametrize(
    ("body", "may"),
    [
        (b'{"a":[1,true]}', True),
        (b"[false]", True),
        (b"true", True),
        (b'{"a": [0, 1, null, "t"]}', False),
        (b"", False),
        (b"1", False),
    ],
)
def test_letters_of_booleans_are_seen_anywhere(body, may):
    assert may_hold_booleans(body) == may


def test_columns_that_are_missing_or_have_no_kind_are_left_out():
    assert typed({"a": [1], "b": [2]}, {"b": "integer", "c": "number"}).keys() == {"b"}


def test_unsigned_ids_are_packed_and_negative_ones_are_not():
    high = 2**64 - 1
    assert typed({"x": [high, 0]}, {"x": "unsigned"})["x"].tolist() == [high, 0]
    assert typed({"x": [high, None]}, {"x": "unsigned"})["x"] == [high, None]
    for wrong in ([-1], [2**64], ["1"], [1.0], [True]):
        assert typed({"x": wrong}, {"x": "unsigned"}) == {}
