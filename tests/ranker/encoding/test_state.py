import io
from pathlib import Path

import numpy as np
import orjson
import pytest

from ranker.encoding import ColumnError, EncoderFitter, Text, from_state, to_state
from ranker.encoding.saved_arrays import read_arrays, write_arrays
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


def test_long_lists_are_mapped_and_encode_as_those_in_memory(tmp_path, monkeypatch):
    """Integers dense and sparse, strings, and pairs of label statistics, in lists and as one text."""
    monkeypatch.setattr("ranker.encoding.saved_vocabulary.INDEXED", 20)
    monkeypatch.setattr("ranker.encoding.state.INDEXED", 20)
    monkeypatch.setattr("ranker.encoding.saved_arrays.MAPPED", 1)
    random = np.random.default_rng(0)
    features = {name: {"kind": "categorical"} for name in ("item", "code", "big", "name")}
    schema = Schema.model_validate(
        {
            "candidate": {
                **features,
                "tags": {"kind": "multi", "max_length": 2},
                "seen": {"kind": "sequence", "shares": "name", "max_length": 30},
            },
            "tasks": {"click": {"kind": "binary"}},
            "label_statistics": {"of": ["item", ["item", "name"]], "folds": 2},
        }
    )

    def columns(seed, rows=60):
        draw = np.random.default_rng(seed).permutation(90)[:rows]
        names = [None if i % 7 == 0 else f"näme {i}" * (i % 4) + "\0" * (i % 3) for i in draw.tolist()]
        return {
            "item": draw,
            "code": draw.astype(np.int64) << 40,
            "big": [2**63 + 1 + int(i) for i in draw],
            "name": names,
            "tags": [[f"t{i}", f"t{i + 1}"] for i in draw.tolist()],
            "seen": [names[: i % 40] for i in range(rows)],
        }

    fitter = EncoderFitter(schema)
    fitter.add(columns(1), random.integers(0, 2, (60, 1)), np.ones((60, 1), dtype=bool), np.arange(60) % 2)
    encoder = fitter.fitted()
    state, arrays = to_state(encoder)
    write_arrays(tmp_path, arrays)
    files = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.npy")]
    (tmp_path / "encoder").mkdir(exist_ok=True)
    np.save(tmp_path / "encoder" / "stray.npy", np.arange(3))
    mapped = read_arrays(tmp_path, files)
    assert mapped.keys() == arrays.keys()
    assert {"code.index.keys", "name.index.facts", "label_statistics(item, name).inputs"} <= mapped.keys()
    again = from_state(schema, state, mapped)
    assert again.layout == encoder.layout
    for asked in (columns(1), columns(2), columns(3, rows=3)):
        for given in (asked, {**asked, "name": Text.of(asked["name"])}):
            for first, second in zip(encoder.encode({}, given), again.encode({}, given), strict=True):
                np.testing.assert_array_equal(first, second)
    with pytest.raises(ColumnError, match="a string"):
        again.encode({}, {**columns(1), "name": [7] * 60})
    assert to_state(again)[1]["name.text"] is mapped["name.text"]  # saved again without a copy
    coder = again.encodings["name"].coder
    known, size = columns(1)["name"][1], coder.size
    assert coder.codes([known, None], "name").tolist() == coder.add([known, None], "name").tolist()
    assert coder.add(["new"], "name").tolist() == [size]
