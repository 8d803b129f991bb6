import io
from pathlib import Path

import numpy as np
import orjson
import pytest

from ranker.encoding import EncoderFitter, from_state, to_state
from ranker.schema import Schema
from tests.ranker.conftest import columns_of


def test_a_saved_encoder_encodes_the_same_without_pickle(rows):
    state, arrays = to_state(rows.encoder)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = from_state(rows.schema, orjson.loads(orjson.dumps(state)), dict(loaded))
    columns = columns_of(40, seed=9)
    columns["city"][:3] = ["", "Köln\0", "北京"]
    for first, second in zip(rows.encoder.encode(columns, columns), again.encode(columns, columns), strict=True):
        np.testing.assert_array_equal(first, second)
    assert again.layout == rows.encoder.layout


VALUES = [["", "a\0", "\ud800", "北京", None], [2**63 - 1, -(2**63) + 1, 0, 7, None], [None] * 5]


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("hashed", [{}, {"hash_buckets": 1000}])
def test_every_kind_of_vocabulary_round_trips(values, hashed):
    features = {
        "item": {"kind": "categorical", **hashed},
        "tags": {"kind": "multi", "max_length": 2, **hashed},
        "seen": {"kind": "sequence", "shares": "item", "max_length": 2},
    }
    schema = Schema.model_validate(
        {
            "candidate": features,
            "tasks": {"click": {"kind": "binary"}},
            "label_statistics": {"of": ["item"], "folds": 2},
        }
    )
    columns = {"item": values, "tags": [[v] for v in values], "seen": [[v, v] for v in values]}
    fitter = EncoderFitter(schema)
    fitter.add(columns, np.eye(5)[:, :1], np.ones((5, 1), dtype=bool), np.arange(5) % 2)
    encoder = fitter.fitted()
    state, arrays = to_state(encoder)
    assert {array.dtype.kind for array in arrays.values()} <= set("iuf")  # so that saving never pickles
    again = from_state(schema, orjson.loads(orjson.dumps(state)), arrays)
    for first, second in zip(encoder.encode({}, columns), again.encode({}, columns), strict=True):
        np.testing.assert_array_equal(first, second)
    assert to_state(again)[0] == state
    for name, array in to_state(again)[1].items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)


def test_a_missing_part_is_reported(rows):
    state, arrays = to_state(rows.encoder)
    for name in arrays:
        with pytest.raises(KeyError) as caught:
            from_state(rows.schema, state, {key: array for key, array in arrays.items() if key != name})
        assert caught.value.args == (name,)


def test_an_encoder_saved_by_an_older_version_encodes_the_same():
    # Written by ranker 0.1.0 before each feature kind had a file of its own.
    saved = orjson.loads((Path(__file__).parent / "saved_encoder.json").read_bytes())

    def array(plain):
        return np.array(plain["values"], dtype=plain["dtype"]).reshape(plain["shape"])

    schema = Schema.model_validate(saved["schema"])
    arrays = {name: array(plain) for name, plain in saved["arrays"].items()}
    encoder = from_state(schema, saved["state"], arrays)
    for name, found in encoder.encode(saved["columns"], saved["columns"])._asdict().items():
        expected = array(saved["packed"][name])
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected, err_msg=name)
    state, again = to_state(encoder)
    assert state == saved["state"]
    assert again.keys() == arrays.keys()
    for name, found in again.items():
        np.testing.assert_array_equal(found, arrays[name], err_msg=name)
