import numpy as np
import pytest

from ranker.encoding import ColumnError
from ranker.encoding.kinds.categorical import Categorical
from ranker.encoding.kinds.sequence import Sequence
from ranker.schema import Schema
from tests.ranker.encoding.kinds.example import Example

EXAMPLE = Example(
    {"kind": "sequence", "shares": "shared", "max_length": 2},
    [[7, 8, 9], [8], [9, 7]],
    [7, "a"],
    "row 1: 'a' is not a list",
)


def fit(ids, lists, **options):
    item = Categorical(kind="categorical").fitter(0, {})
    seen = Sequence(kind="sequence", shares="item", **options).fitter(0, {"item": item})
    item.add(ids, "item")
    seen.add(lists, "seen")
    return seen, seen.fitted({"item": item.fitted({})})


def test_the_last_values_of_a_row_are_kept():
    _, encoding = fit([5, 5, 6], [[5], [6], []], max_length=2)
    # Rows of the table: 0 padding, 1 unknown, then by frequency 5, 6.
    assert encoding.ids([[5, 6, 6], [4], None], "seen").tolist() == [[3, 3], [1, 0], [0, 0]]


def test_sequence_values_are_not_added_to_the_shared_vocabulary():
    _, encoding = fit([5, 6], [[7, 8], [9]])
    assert encoding.shared.coder.size == 4
    assert encoding.ids([[7]], "seen")[0, 0] == 1


def test_sequence_values_determine_the_range_of_the_shared_ids():
    _, encoding = fit(np.array([5, 6]), [[2**63 + 1], []])
    assert encoding.request_type.value == "unsigned"


def test_it_is_empty_until_a_list_holds_a_value():
    assert fit([5, 6], [[], None])[0].empty
    assert not fit([5, 6], [[5], None])[0].empty


def test_ids_of_another_type_are_refused_while_fitting():
    with pytest.raises(ColumnError, match="column 'seen', row 1: 'a' is not a list whose every value is an integer"):
        fit([5, 6], [[5], ["a"]])


@pytest.mark.parametrize("shared", ["price", "sees"])
def test_the_shared_feature_must_be_categorical(shared):
    features = {
        "seen": {"kind": "sequence", "shares": shared},
        "seed": {"kind": "categorical"},
        "price": {"kind": "numeric"},
    }
    with pytest.raises(ValueError, match=rf"candidate\.seen\.shares: '{shared}' is not a categorical feature.*seed"):
        Schema.model_validate({"candidate": features, "tasks": {"click": {"kind": "binary"}}})
