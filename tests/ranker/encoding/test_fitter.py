import numpy as np
import pytest

from ranker.encoding import ColumnError, EncoderFitter, encode_labels, to_state
from ranker.schema import Schema
from tests.ranker.conftest import columns_of, schema_of

ROWS = 300


def schema_with(context=None, candidate=None, **more):
    candidate = candidate or {"item": {"kind": "categorical"}}
    tasks = {"click": {"kind": "binary"}}
    return Schema.model_validate({"context": context or {}, "candidate": candidate, "tasks": tasks, **more})


def fit(schema, chunks):
    fitter = EncoderFitter(schema)
    for chunk in chunks:
        rows = len(next(iter(chunk.values())))
        shape = (rows, len(schema.tasks))
        fitter.add(chunk, np.zeros(shape), np.ones(shape, dtype=bool), np.zeros(rows, dtype=np.int64))
    return fitter.fitted()


def ids_of(encoder, columns, feature):
    packed = encoder.encode(columns, columns)
    for ids, side in ((packed.context_ids, encoder.layout.context), (packed.candidate_ids, encoder.layout.candidate)):
        for field in side.ids:
            if field.feature == feature:
                return ids[:, field.start : field.start + field.length].tolist()
    raise AssertionError(feature)


@pytest.mark.parametrize("cuts", [[150], [1, 2, 3, 299], [0, 0, 7, 7, 250, 300], list(range(1, 300))])
def test_the_state_does_not_depend_on_the_chunks(cuts):
    schema = schema_of()
    columns = columns_of(ROWS)
    labels = encode_labels(schema, columns)
    folds = np.random.default_rng(1).integers(0, 4, ROWS)
    fitters = []
    for ends in ([], cuts):
        fitter = EncoderFitter(schema)
        for start, end in zip([0, *ends], [*ends, ROWS], strict=True):
            chunk = {name: column[start:end] for name, column in columns.items()}
            fitter.add(chunk, labels.values[start:end], labels.known[start:end], folds[start:end])
        fitters.append((fitter, fitter.fitted()))
    (state, arrays), (other_state, other_arrays) = (to_state(encoder) for _, encoder in fitters)
    assert state["coders"] == other_state["coders"]
    assert state["statistics"] == other_state["statistics"]
    for name, numeric in state["numerics"].items():
        other = other_state["numerics"][name]
        assert (numeric["has_missing"], numeric["edges"]) == (other["has_missing"], other["edges"])
        np.testing.assert_allclose(
            [numeric["mean"], numeric["deviation"]], [other["mean"], other["deviation"]], rtol=1e-9
        )
    assert arrays.keys() == other_arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, other_arrays[name], err_msg=name)
    first, second = (fitter.encode(encoder, columns, folds) for fitter, encoder in fitters)
    for name, array, other in zip(first._fields, first, second, strict=True):
        np.testing.assert_allclose(array, other, atol=1e-6, err_msg=name)


def test_ids_are_ordered_by_frequency_then_first_row():
    schema = schema_with(candidate={"item": {"kind": "categorical", "min_count": 2}})
    items = [9, 5, 5, 7, 9, 3, 5, 7, None]
    encoder = fit(schema, [{"item": items[:4]}, {"item": items[4:]}])
    # 5 three times; 9 and 7 twice, 9 first; 3 is rare.
    assert ids_of(encoder, {"item": [5, 9, 7, 3, 4, None]}, "item") == [[2], [3], [4], [1], [1], [0]]
    assert encoder.layout.tables == {16: 5}


def test_values_of_equal_frequency_are_ordered_by_first_row():
    items = np.random.default_rng(0).integers(0, 1000, 3000).tolist()
    encoder = fit(schema_with(), [{"item": items}])
    distinct = list(dict.fromkeys(items))
    expected = sorted(distinct, key=lambda item: -items.count(item))  # Python's sort keeps the order of equals
    assert np.ravel(ids_of(encoder, {"item": expected}, "item")).tolist() == list(range(2, 2 + len(expected)))


def test_the_most_frequent_values_are_kept():
    schema = schema_with(candidate={"item": {"kind": "categorical", "max_size": 2}})
    encoder = fit(schema, [{"item": ["a", "b", "c", "c", "b", "d"]}])
    assert ids_of(encoder, {"item": ["a", "b", "c", "d"]}, "item") == [[1], [2], [3], [1]]


def test_every_value_of_a_list_counts():
    schema = schema_with(candidate={"tags": {"kind": "multi", "max_length": 2, "min_count": 3}})
    # 2 and 3 three times, 2 first, though beyond max_length; 1 only twice.
    encoder = fit(schema, [{"tags": [[1, 2, 3], [3], None]}, {"tags": [[], [2, 3, 2, 1]]}])
    assert ids_of(encoder, {"tags": [[3, 2, 1], [1, None], [], None, [3]]}, "tags") == [
        [3, 2],
        [1, 0],
        [0, 0],
        [0, 0],
        [3, 0],
    ]


SEQUENCE = {"kind": "sequence", "shares": "item", "max_length": 2}
SHARING = [
    schema_with(context={"seen": SEQUENCE}),
    schema_with(candidate={"seen": SEQUENCE, "item": {"kind": "categorical"}}),
    schema_with(candidate={"item": {"kind": "categorical"}, "seen": SEQUENCE}),
    schema_with(context={"item": {"kind": "categorical"}}, candidate={"seen": SEQUENCE}),
]


@pytest.mark.parametrize("schema", SHARING)
@pytest.mark.parametrize("values", [[30, 10, 20], ["x", "y", "z"]])
def test_a_sequence_shares_its_features_table_in_any_position(schema, values):
    a, b, c = values
    unseen = 99 if isinstance(a, int) else "new"
    # In the first chunk no item is known, and the sequence alone teaches nothing.
    encoder = fit(schema, [{"item": [None], "seen": [[c]]}, {"item": [a, b], "seen": [[c], None]}])
    columns = {"item": [b, None, c], "seen": [[unseen, a, b], [b], [a, unseen, None]]}
    assert ids_of(encoder, columns, "item") == [[3], [0], [1]]
    assert ids_of(encoder, columns, "seen") == [[2, 3], [3, 0], [1, 0]]
    fields = {field.feature: field for _, side in encoder.layout.sides() for field in side.ids}
    assert fields["seen"].offset == fields["item"].offset
    assert encoder.layout.tables == {16: 4}


@pytest.mark.parametrize("hashed", [{}, {"hash_buckets": 1000}])
@pytest.mark.parametrize("values", [[30, 10], ["x", "y"]])
def test_a_text_sequence_refers_to_the_same_items(hashed, values):
    candidate = {"item": {"kind": "categorical", **hashed}, "seen": {**SEQUENCE, "separator": ","}}
    columns = {"item": values, "seen": [f"{values[1]},{values[0]}", f" {values[1]} "]}
    encoder = fit(schema_with(candidate=candidate), [columns])
    (first,), (second,) = ids_of(encoder, columns, "item")
    assert first != second
    assert ids_of(encoder, columns, "seen") == [[second, first], [second, 0]]


@pytest.mark.parametrize("nulls", [[None, None], np.array([np.nan, np.nan]), np.ma.MaskedArray([0, 0], mask=True)])
@pytest.mark.parametrize("values", [["x", "y"], [3, 4], np.array([3.0, 4.0])])
@pytest.mark.parametrize("hashed", [{}, {"hash_buckets": 1000}])
def test_nulls_do_not_determine_the_type(nulls, values, hashed):
    schema = schema_with(candidate={"item": {"kind": "categorical", **hashed}})
    encoder = fit(schema, [{"item": nulls}, {"item": values}, {"item": nulls}])
    assert ids_of(encoder, {"item": nulls}, "item") == [[0], [0]]
    (first,), (second,) = ids_of(encoder, {"item": values}, "item")
    assert first > 1
    assert second > 1
    assert first != second


def test_values_of_an_all_null_column_are_unseen():
    features = {
        "item": {"kind": "categorical"},
        "tags": {"kind": "multi", "max_length": 2},
        "words": {"kind": "multi", "separator": " ", "max_length": 1},
        "seen": SEQUENCE,
        "bucket": {"kind": "numeric", "transform": "buckets"},
        "number": {"kind": "numeric"},
        "vector": {"kind": "dense", "size": 2},
    }
    schema = schema_with(candidate=features, label_statistics={"of": ["item"]})
    encoder = fit(schema, [{name: [None, None] for name in features}])
    for item in ("a", 5):
        columns = {
            "item": [item, None],
            "tags": [[item, None], None],
            "words": ["a b", None],
            "seen": [[item], []],
            "bucket": [7.0, None],
            "number": [7.0, None],
            "vector": [[1, 2], None],
        }
        assert ids_of(encoder, columns, "item") == [[1], [0]]
        assert ids_of(encoder, columns, "tags") == [[1, 0], [0, 0]]
        assert ids_of(encoder, columns, "words") == [[1], [0]]
        assert ids_of(encoder, columns, "seen") == [[1, 0], [0, 0]]
        assert ids_of(encoder, columns, "bucket") == [[1], [0]]
        assert np.isfinite(encoder.encode(columns, columns).candidate_numbers).all()


@pytest.mark.parametrize("hashed", [{}, {"hash_buckets": 1000}])
def test_the_first_value_determines_the_type_of_the_column(hashed):
    schema = schema_with(candidate={"item": {"kind": "categorical", **hashed}})
    with pytest.raises(ColumnError, match=r"column 'item', row 1: 5 is not a string"):
        fit(schema, [{"item": ["a"]}, {"item": ["b", 5]}])
    with pytest.raises(ColumnError, match=r"column 'item', row 0: 'b' is not an integer"):
        fit(schema, [{"item": [5]}]).encode({}, {"item": ["b"]})


def test_a_sequence_of_the_wrong_type_is_rejected_while_fitting():
    with pytest.raises(ColumnError, match=r"column 'seen', row 1: 'x' is not a list whose every value is an integer"):
        fit(SHARING[0], [{"item": [1, 2], "seen": [[1, 2], [3, "x"]]}])


def added(rows=4, **changes):
    schema = schema_with(label_statistics={"of": ["item"], "folds": 2})
    given = {
        "columns": {"item": list(range(rows))},
        "labels": np.zeros((rows, 1)),
        "known": np.ones((rows, 1), dtype=bool),
        "folds": np.zeros(rows, dtype=np.int64),
    }
    fitter = EncoderFitter(schema)
    fitter.add(**{**given, **changes})
    return fitter


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"labels": np.zeros((3, 1))}, r"labels must be of shape \(4, 1\), got \(3, 1\)"),
        ({"known": np.zeros((4, 2), dtype=bool)}, r"known must be of shape \(4, 1\), got \(4, 2\)"),
        ({"folds": np.zeros(3, dtype=np.int64)}, r"folds must be integers of shape \(4,\)"),
        ({"folds": np.zeros(4)}, r"folds must be integers of shape \(4,\), got float64"),
        ({"folds": np.array([0, 1, 2, 0])}, r"folds must lie in 0 to 1, got 0 to 2"),
        ({"folds": np.array([0, 1, -1, 0])}, r"folds must lie in 0 to 1, got -1 to 1"),
        ({"columns": {}}, r"column 'item', row 0: None is not a value; the column is missing"),
    ],
)
def test_arrays_of_mismatched_shapes_are_rejected(changes, text):
    with pytest.raises(ValueError, match=text):
        added(**changes)


def test_adding_after_fitted_or_encoding_before_it_fails():
    fitter = added()
    folds = np.zeros(1, dtype=np.int64)
    with pytest.raises(RuntimeError, match="before fitted"):
        fitter.encode(added().fitted(), {"item": [1]}, folds)
    fitter.fitted()
    with pytest.raises(RuntimeError, match="after fitted"):
        fitter.add({"item": [1]}, np.zeros((1, 1)), np.ones((1, 1), dtype=bool), folds)
