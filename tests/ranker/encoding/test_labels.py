import numpy as np
import pytest

from ranker.encoding import ColumnError, encode_labels, label_columns
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "buy": {"kind": "binary", "given": "cart"},
            "cart": {"kind": "binary", "given": "click"},
            "click": {"kind": "binary"},
            "rating": {"kind": "regression", "mask": "rated"},
        },
    }
)
COLUMNS = {
    "click": [1, 1, 0, None],
    "cart": [1, None, None, 1],
    "buy": [1, 0, 1, 1],
    "rating": [4.5, 2.0, None, 3.0],
    "rated": [1, 0, 1, 1],
}


def test_a_chain_of_conditions_and_a_mask():
    labels = encode_labels(SCHEMA, COLUMNS)
    np.testing.assert_array_equal(labels.values, [[1, 1, 1, 4.5], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    np.testing.assert_array_equal(labels.known.astype(int), [[1, 1, 1, 1], [0, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]])
    assert label_columns(SCHEMA) == ["buy", "cart", "click", "rating", "rated"]


@pytest.mark.parametrize(
    ("column", "value", "expected"), [("click", 2, r"label in \{0, 1\}"), ("rated", 0.5, "mask in")]
)
def test_other_values_are_named(column, value, expected):
    with pytest.raises(ColumnError, match=rf"column '{column}', row 2: .* is not a {expected}"):
        encode_labels(SCHEMA, {**COLUMNS, column: [1, 1, value, 1]})


def test_the_logarithm_needs_values_from_0_on():
    schema = Schema.model_validate(
        {
            "candidate": {"item": {"kind": "categorical"}},
            "tasks": {"watch": {"kind": "regression", "transform": "log1p"}},
        }
    )
    with pytest.raises(ColumnError, match=r"-1\.0 is not a value of at least 0"):
        encode_labels(schema, {"watch": [3.0, -1.0]})
