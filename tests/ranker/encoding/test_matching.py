"""Matches of candidates with lists: numbers by hand, types of ids, and no dependence on chunks."""

import numpy as np
import pytest

from ranker.encoding import ColumnError, Encoder, EncoderFitter, Ragged, matching
from ranker.encoding.state import from_state, to_state
from ranker.schema import Schema

LOG = np.log1p


def schema_of(matches, context=None, **candidate) -> Schema:
    features = {"item": {"kind": "categorical", "dimension": 2}, **candidate}
    seen = {"kind": "sequence", "shares": "item", "max_length": 4, "pooling": "none"}
    return Schema.model_validate(
        {
            "context": {"seen": seen} if context is None else context,
            "candidate": features,
            "tasks": {"click": {"kind": "binary"}},
            "matches": matches,
        }
    )


def fitted(schema: Schema, columns) -> Encoder:
    rows = len(columns["item"])
    fitter = EncoderFitter(schema)
    fitter.add(columns, np.zeros((rows, 1)), np.ones((rows, 1), dtype=bool), np.zeros(rows, dtype=np.int64))
    return fitter.fitted()


def found(encoder: Encoder, columns) -> dict[str, list[float]]:
    keys = encoder.matches.keys(columns, len(columns["item"]))
    return {name: values.tolist() for name, values in encoder.matches.inputs(columns, keys).items()}


BOTH = [{"of": "item", "in": "seen"}]
COLUMNS = {"item": [7, 7, 8, None, 7, 7], "seen": [[7, 1, 7, 2], [9, 7, 7, 1, 1, 1], [7, 9], [7], [], None]}


def test_counts_shares_and_recency_by_hand():
    inputs = found(fitted(schema_of(BOTH), COLUMNS), COLUMNS)
    nan = np.nan  # no candidate, or nothing to compare it with
    expected = {
        "match(item, seen).count": [LOG(2), LOG(1), 0, nan, nan, nan],
        "match(item, seen).share": [2 / 4, 1 / 4, 0, nan, nan, nan],  # the last four elements stay
        "match(item, seen).last": [1 / 2, 1 / 4, 0, nan, nan, nan],  # the latest is the last
    }
    assert set(inputs) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(inputs[name], values, err_msg=name)


def test_inputs_are_standardised_with_a_flag_of_missing_ones():
    encoder = fitted(schema_of([{"of": "item", "in": "seen", "as": ["share"]}]), COLUMNS)
    assert {field.feature: field.length for field in encoder.layout.candidate.numbers} == {"match(item, seen).share": 2}
    assert encoder.layout.context.ids == ()  # `pooling: none` embeds nothing
    numbers = encoder.encode(COLUMNS, COLUMNS).candidate_numbers
    known = np.array([2 / 4, 1 / 4, 0])
    np.testing.assert_allclose(numbers[:3, 0], (known - known.mean()) / known.std(), rtol=1e-6)
    assert numbers[3:].tolist() == [[0, 1]] * 3
    assert numbers[:3, 1].tolist() == [0, 0, 0]


def test_ids_that_training_has_not_seen_match():
    encoder = fitted(schema_of(BOTH), COLUMNS)
    inputs = found(encoder, {"item": [100, 101], "seen": [[100, 5], [100, 5]]})
    assert inputs["match(item, seen).share"] == [0.5, 0]


def test_an_element_equal_to_any_value_of_a_multi_feature_counts_once():
    tags = {"kind": "multi", "separator": ",", "max_length": 2, "dimension": 2}
    context = {
        "liked": {"kind": "sequence", "shares": "tags", "pooling": "none"},
        "likes": {"kind": "multi", "max_length": 3, "dimension": 2},
    }
    schema = schema_of([{"of": "tags", "in": ["liked", "likes"]}], context, tags=tags)
    columns = {
        "item": [1, 1, 1],
        "tags": ["a, b", "b,c,a", None],
        "liked": [["a", "b", "c", None], ["a", "a", "d"], ["a"]],
        "likes": [["a", "b", "b", "c"], ["x"], ["a"]],
    }
    inputs = found(fitted(schema, columns), columns)
    expected = {
        "match(tags, liked).count": [LOG(2), 0, np.nan],  # of the second candidate's values, the first two stay
        "match(tags, liked).share": [2 / 3, 0, np.nan],  # a missing element is none of the list's length,
        "match(tags, liked).last": [1 / 3, 0, np.nan],  # but keeps its place
        "match(tags, likes).count": [LOG(3), 0, np.nan],
        "match(tags, likes).share": [1, 0, np.nan],
    }
    assert set(inputs) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(inputs[name], values, err_msg=name)


def test_integers_match_their_text():
    context = {"seen": {"kind": "multi", "dimension": 2}, "other": {"kind": "multi", "dimension": 2}}
    schema = schema_of([{"of": "item", "in": ["seen", "other"], "as": ["count"]}], context)
    columns = {"item": [7, 12], "seen": [["7", "x"], ["12", "012", "12"]], "other": [[7], [7]]}
    inputs = found(fitted(schema, columns), columns)
    assert inputs == {"match(item, seen).count": [LOG(1), LOG(2)], "match(item, other).count": [LOG(1), 0]}
    declared = schema_of(BOTH, item={"kind": "categorical", "type": "string"})
    columns = {"item": [7, "x"], "seen": [[7, "7"], ["x", 7]]}
    assert found(fitted(declared, columns), columns)["match(item, seen).count"] == [LOG(2), LOG(1)]


def test_results_do_not_depend_on_chunks_nor_on_one_list_or_many(monkeypatch):
    random = np.random.default_rng(0)
    lengths = random.integers(0, 9, 300)
    seen = np.split(random.integers(0, 12, lengths.sum()), np.cumsum(lengths)[:-1])
    columns = {
        "item": random.integers(0, 14, 300),
        "seen": Ragged(np.concatenate(seen), np.append(0, np.cumsum(lengths))),
    }
    schema = schema_of(BOTH)
    encoder = fitted(schema, columns)
    whole = encoder.encode(columns, columns).candidate_numbers
    for i, kept in enumerate(seen):  # by Python
        count = kept[-4:].tolist().count(columns["item"][i])
        field = encoder.encodings["match(item, seen).count"]
        expected = (LOG(count) - field.mean) / field.deviation if len(kept) else 0
        np.testing.assert_allclose(whole[i, 0], expected, rtol=1e-6, atol=1e-7)
    monkeypatch.setattr(matching, "CELLS", 40)
    assert encoder.encode(columns, columns).candidate_numbers.tobytes() == whole.tobytes()
    for i in range(0, 300, 50):
        context = {"seen": [seen[i].tolist()]}
        repeated = {"seen": [seen[i].tolist()] * 300}
        candidates = {"item": columns["item"].tolist()}
        request = encoder.encode_request(context, candidates).candidate_numbers
        assert request.tobytes() == encoder.encode(repeated, candidates).candidate_numbers.tobytes()
        assert request[i].tobytes() == whole[i].tobytes()
        assert encoder.join(context, encoder.encode_items(candidates)).candidate_numbers.tobytes() == request.tobytes()


def test_fitting_in_chunks_gives_the_same_scale_and_a_saved_encoder_the_same_inputs():
    schema, rows = schema_of(BOTH), np.ones((3, 1), dtype=bool)
    fitter = EncoderFitter(schema)
    for part in (slice(0, 3), slice(3, 6)):
        chunk = {name: values[part] for name, values in COLUMNS.items()}
        fitter.add(chunk, rows * 0.0, rows, np.zeros(3, dtype=np.int64))
    chunked, whole = fitter.fitted(), fitted(schema, COLUMNS)
    for name in schema.match_inputs:
        np.testing.assert_allclose(chunked.encodings[name].mean, whole.encodings[name].mean)
    restored = from_state(Schema.model_validate(schema.model_dump(mode="json")), *to_state(whole))
    expected = whole.encode(COLUMNS, COLUMNS).candidate_numbers
    assert restored.encode(COLUMNS, COLUMNS).candidate_numbers.tobytes() == expected.tobytes()


def test_a_wrong_value_in_a_list_names_the_row():
    encoder = fitted(schema_of(BOTH), COLUMNS)
    with pytest.raises(ColumnError, match=r"column 'seen', row 1: 'x' is not a list whose every value is an integer"):
        encoder.encode({"seen": [[7], ["x"]]}, {"item": [7, 8]})


def test_lists_of_a_feature_without_values_are_missing():
    columns = {"item": [None, None], "seen": [[1], []]}
    encoder = fitted(schema_of(BOTH), columns)
    assert np.isfinite(encoder.encode(columns, columns).candidate_numbers).all()
    assert np.isnan(found(encoder, {"item": [1], "seen": [[1]]})["match(item, seen).count"]).all()
