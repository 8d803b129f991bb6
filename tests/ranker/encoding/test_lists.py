import numpy as np
import pytest

from ranker.encoding.columns import ColumnError, Ragged, integers
from ranker.encoding.lists import list_codes, pad, ragged, split


def rows_of(lists):
    return [list(lists.values[a:b]) for a, b in zip(lists.offsets[:-1], lists.offsets[1:], strict=True)]


@pytest.mark.parametrize(
    "column",
    [
        [[1, 2], [], None, [3]],
        [(1, 2), [], None, np.array([3])],
        np.array([[1, 2], [], None, [3]], dtype=object),
        [[1, 2], [], float("nan"), [3]],
        Ragged(np.array([1, 2, 3]), np.array([0, 2, 2, 2, 3])),
    ],
)
def test_lists_of_every_form(column):
    assert rows_of(ragged(column, "x", None)) == [[1, 2], [], [], [3]]


def test_text_is_split_and_stripped():
    column = ["a|b", "", None, " a | | b c ", "|", ["a|b", "c"]]
    assert rows_of(ragged(column, "x", "|")) == [["a", "b"], [], [], ["a", "b c"], [], ["a|b", "c"]]


@pytest.mark.parametrize(("value", "separator"), [("a,b", None), (5, None), (True, ","), ({"a": 1}, ","), (1.5, None)])
def test_values_that_are_not_lists_are_rejected(value, separator):
    column = ["a" if separator else ["a"], value]
    with pytest.raises(ColumnError, match=r"column 'x', row 1: .* is not a list") as caught:
        ragged(column, "x", separator)
    assert caught.value.value == value
    assert (separator is not None) == ("text separated by" in str(caught.value))


def test_pieces_become_integers_for_an_integer_vocabulary():
    column = ["1|-2|+3", "7", None]
    assert rows_of(split(column, "x", "|", "integer")) == [[1, -2, 3], [7], []]
    assert rows_of(split(column, "x", "|", "string")) == [["1", "-2", "+3"], ["7"], []]
    assert rows_of(split([[1, None]], "x", "|", "integer")) == [[1, None]]


@pytest.mark.parametrize("piece", ["a", "1.0", "007", "1_000", "٣", "--1", "1 2", "9" * 5000])
def test_a_piece_that_is_not_an_integer_is_rejected_with_its_row(piece):
    with pytest.raises(ColumnError, match=r"column 'x', row 2: .* is not a list whose every value is an integer"):
        split(["1|2|3", "", f"4|{piece}"], "x", "|", "integer")


def test_an_error_names_the_row_of_the_list():
    lists = ragged([[1, 2], [], [3], [4, "x"]], "tags", None)
    with pytest.raises(ColumnError, match="a list whose every value is an integer") as caught:
        list_codes(integers, lists, "tags")
    assert (caught.value.row, caught.value.value) == (3, "x")


def test_padding_keeps_the_first_or_the_last():
    lists = ragged([[1, 2, 3, 4], [], [5], [6, 7]], "x", None)
    ids = np.array(lists.values, dtype=np.int32) * 10
    assert pad(lists, ids, 2, np.zeros_like).tolist() == [[10, 20], [0, 0], [50, 0], [60, 70]]
    last = pad(lists, ids, 2, lambda n: np.maximum(n - 2, 0))
    assert last.tolist() == [[30, 40], [0, 0], [50, 0], [60, 70]]
    assert pad(ragged([], "x", None), ids[:0], 3, np.zeros_like).shape == (0, 3)


def test_raw_lists_are_the_first_values_then_nothing(rows):
    tags = rows.schema.features["tags"]
    assert tags.listed(["3,1,2", None, "", "7"], "tags").tolist() == [
        ["3", "1"],
        [None, None],
        [None, None],
        ["7", None],
    ]
    many = tags.model_copy(update={"separator": None, "max_length": 3})
    assert many.listed([[1, None, 2, 5], [], None], "tags").tolist() == [[1, 2, None], [None] * 3, [None] * 3]
    vector = rows.schema.features["vector"]
    assert vector.listed([[1, 2, 3], None], "vector").tolist() == [[1, 2, 3], [0, 0, 0]]
    assert rows.schema.features["length"].listed([1.0], "length") is None
