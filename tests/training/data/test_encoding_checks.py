import numpy as np
import pytest

from ranker.encoding import EncoderFitter
from ranker.schema import Schema
from training.data.encoding_checks import cautions

ROWS = 4
FULL = {
    "device": ["a", "b", None, "a"],
    "age": [1.0, None, 3.0, 4.0],
    "bucketed": [1.0, None, 3.0, 4.0],
    "recent": [[1], None, [], [2]],
    "item": [1, 2, 3, 4],
    "tags": [["x"], None, [], None],
    "hashed": ["x", "y", None, "z"],
}
EMPTY = {name: [None] * ROWS for name in FULL} | {
    "bucketed": np.full(ROWS, np.nan),
    "recent": [None, [], [], None],
    "tags": [[], [None], None, []],
}


def cautioned(*chunks):
    schema = Schema.model_validate(
        {
            "context": {
                "device": {"kind": "categorical"},
                "age": {"kind": "numeric"},
                "bucketed": {"kind": "numeric", "transform": "buckets"},
                "recent": {"kind": "sequence", "shares": "item", "max_length": 2},
            },
            "candidate": {
                "item": {"kind": "categorical"},
                "tags": {"kind": "multi", "max_length": 2},
                "hashed": {"kind": "categorical", "hash_buckets": 100},
            },
            "tasks": {"click": {"kind": "binary"}},
        }
    )
    fitter = EncoderFitter(schema, 0)
    for chunk in chunks:
        labels = np.ones((ROWS, 1))
        fitter.add(chunk, labels, labels.astype(bool), np.zeros(ROWS, dtype=np.int64))
    return list(cautions(fitter, fitter.fitted()))


@pytest.mark.parametrize("name", FULL)
def test_a_feature_without_any_value_is_named(name):
    (text,) = cautioned({**FULL, name: EMPTY[name]}, {**FULL, name: EMPTY[name]})
    assert f"feature '{name}' (column '{name}') has no value in any training row" in text
    assert cautioned({**FULL, name: EMPTY[name]}, FULL) == []


def test_spellings_of_one_truth_value_are_named():
    (text,) = cautioned({**FULL, "device": ["true", "True", "TRUE", "False"]})
    assert "feature 'device' (column 'device') holds 'true' and 'True' and 'TRUE', which are 3 categories" in text
    assert cautioned({**FULL, "device": ["True", "False", None, "true story"]}) == []


def test_a_feature_named_like_the_place_where_an_item_was_shown():
    schema = Schema.model_validate(
        {
            "context": {"position": {"kind": "categorical"}},
            "candidate": {"place": {"kind": "numeric", "column": "Position"}, "rank": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary"}},
        }
    )
    fitter = EncoderFitter(schema, 0)
    labels = np.ones((2, 1))
    columns = {"position": ["cook", "nurse"], "Position": [1.0, 2.0], "rank": [1.0, 2.0]}
    fitter.add(columns, labels, labels.astype(bool), np.zeros(2, dtype=np.int64))
    (text,) = cautions(fitter, fitter.fitted())
    assert "if the candidate feature 'place' (column 'Position') is the place where an item was shown" in text
