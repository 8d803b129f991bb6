import numpy as np
import pytest

from ranker.encoding import ColumnError, encode_labels, encode_weights, weight_columns
from ranker.schema import Schema

COLUMNS = {
    "click": [1, 0, None, 1],
    "buy": [1, 0, 1, 0],
    "dwell": [np.e - 1, None, None, 0],
    "device": ["tv", "phone", None, "tv"],
}


def weights(tasks, columns=COLUMNS, **schema):
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks, **schema})
    return encode_weights(schema, columns, encode_labels(schema, columns))


def test_without_weights_there_is_no_array():
    assert weights({"click": {"kind": "binary"}, "dwell": {"kind": "regression"}}) is None


def test_sample_task_and_positive_weights_multiply():
    got = weights(
        {
            "click": {"kind": "binary", "weight": "where(click == 1, log1p(dwell), 1)", "positive_weight": 3.0},
            "buy": {"kind": "binary", "given": "click"},
        },
        sample_weight='where(device == "tv", 2, 1)',
    )
    # The third row has no known label: nothing is asked of its weights.
    np.testing.assert_allclose(got, [[1 * 2 * 3, 2], [1, 1], [0, 0], [0, 2]])


def test_a_positive_weight_applies_to_positives_only():
    np.testing.assert_array_equal(weights({"click": {"kind": "binary", "positive_weight": 3}})[:, 0], [3, 1, 0, 3])


def test_weight_columns_are_listed_once():
    tasks = {"click": {"kind": "binary", "weight": "a + b"}, "buy": {"kind": "binary", "weight": "b * c"}}
    schema = {"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks, "sample_weight": "d"}
    assert weight_columns(Schema.model_validate(schema)) == ["d", "a", "b", "c"]


@pytest.mark.parametrize(
    ("formula", "match"),
    [
        ("log1p(dwell)", r"'log1p\(dwell\)', row 1: nan is not a weight from 0 .*tasks\.click\.weight.*coalesce"),
        ("1 - 2 * click", r"row 0: -1\.0 is not a weight from 0"),
        ("1 / click", r"row 1: inf is not a weight from 0"),
        ("1e13 * click", r"row 0: 10000000000000.0 is not a weight from 0 to 1e\+12"),
        ("log(click - 1)", r"row 0: -inf is not a weight"),
        ("device + 1", r"column 'device', row 0: 'tv' is not a number"),
        ("click == 'a'", r"column 'click', row 0: 1 is not a string"),
    ],
)
def test_invalid_weights_are_rejected(formula, match):
    with pytest.raises(ColumnError, match=match):
        weights({"click": {"kind": "binary", "weight": formula}})
