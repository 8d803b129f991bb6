import numpy as np
import pytest

from ranker.encoding import ColumnError
from ranker.encoding.kinds.multi import Multi
from tests.ranker.encoding.kinds.example import Example

EXAMPLE = Example(
    {"kind": "multi", "max_length": 2}, [["a", "b", "c"], ["b"], ["c", "a"]], ["a", 1.5], "row 1: 1.5 is not a list"
)


def fit(column, **options):
    fitter = Multi(kind="multi", **options).fitter(0, {})
    fitter.add(column, "tags")
    return fitter.fitted({})


def test_the_first_values_of_a_row_are_kept_and_the_rest_is_padding():
    encoding = fit([["a", "b"], ["a"], ["a", "c"]], max_length=2)
    # Rows of the table: 0 padding, 1 unknown, then by frequency a, b, c.
    assert encoding.ids([["b", "a", "c"], ["x"], None, []], "tags").tolist() == [[3, 2], [1, 0], [0, 0], [0, 0]]


def test_text_is_split_before_it_is_looked_up():
    encoding = fit(["a|b", "a"], separator="|", max_length=3)
    assert encoding.ids(["b | a", "", None], "tags").tolist() == [[3, 2, 0], [0, 0, 0], [0, 0, 0]]


def test_a_feature_with_only_empty_lists_is_empty():
    fitter = Multi(kind="multi").fitter(0, {})
    fitter.add([[], None, [None]], "tags")
    assert fitter.empty
    fitter.add([["a"]], "tags")
    assert not fitter.empty


@pytest.mark.parametrize(("column", "row"), [([["a"], "b"], 1), ([["a"], [], ["b", 3]], 2)])
def test_a_wrong_value_names_its_row(column, row):
    with pytest.raises(ColumnError, match=f"column 'tags', row {row}"):
        fit([["a"]]).ids(column, "tags")


def test_arrays_are_accepted_as_lists():
    encoding = fit([np.array([1, 2]), np.array([2])], max_length=2)
    assert encoding.ids([np.array([2, 1])], "tags").tolist() == [[2, 3]]
