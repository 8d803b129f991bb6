import numpy as np
import pytest

from ranker.encoding import ColumnError, EncoderFitter, Ragged, encode_labels
from tests.ranker.conftest import columns_of, schema_of

CONTEXT, CANDIDATE = ("user", "city", "age", "history"), ("item", "tags", "length", "vector")


def fitted(columns, schema=None, chunks=1):
    schema = schema or schema_of()
    fitter = EncoderFitter(schema)
    rows = len(columns["user"])
    for part in np.array_split(np.arange(rows), chunks):
        sliced = {name: [column[i] for i in part] for name, column in columns.items()}
        sliced = {n: np.array(c) if isinstance(columns[n], np.ndarray) else c for n, c in sliced.items()}
        labels = encode_labels(schema, sliced)
        fitter.add(sliced, labels.values, labels.known, part % 4)
    return fitter.fitted(), fitter


def sides(columns, rows=None):
    pick = (lambda c: c) if rows is None else (lambda c: [c[i] for i in rows])
    return {n: pick(columns[n]) for n in CONTEXT}, {n: pick(columns[n]) for n in CANDIDATE}


def assert_same(first, second, atol=0.0):
    for name, a, b in zip(first._fields, first, second, strict=True):
        np.testing.assert_allclose(a, b, atol=atol, err_msg=name)


def test_the_layout_holds_every_feature(rows):
    layout = rows.encoder.layout
    assert [f.feature for f in layout.context.ids] == ["user", "city", "history"]
    assert [f.feature for f in layout.candidate.ids] == ["length_bucket", "tags", "item"]
    assert [f.feature for f in layout.candidate.numbers][-2:] == [
        "label_statistics(item)",
        "label_statistics(user, item)",
    ]
    assert tuple(a.shape[1] for a in rows.packed) == layout.widths()


def test_the_encoding_does_not_depend_on_the_chunks():
    columns = columns_of(200)
    assert_same(fitted(columns)[0].encode(*sides(columns)), fitted(columns, chunks=7)[0].encode(*sides(columns)), 1e-6)


def test_json_values_encode_like_arrays(rows):
    plain = {
        name: [None if isinstance(v, float) and np.isnan(v) else v for v in np.asarray(column, dtype=object).tolist()]
        if isinstance(column, np.ndarray) and column.ndim == 1
        else [list(v) if isinstance(v, np.ndarray) else v for v in column]
        for name, column in rows.columns.items()
    }
    assert_same(rows.encoder.encode(*sides(plain)), rows.encoder.encode(*sides(rows.columns)))


def test_ragged_and_masked_columns_encode_like_lists(rows):
    context, candidate = sides(rows.columns)
    lists = context["history"]
    offsets = np.concatenate([[0], np.cumsum([len(x) for x in lists])])
    ragged = {**context, "history": Ragged(np.array([v for x in lists for v in x]), offsets)}
    assert_same(rows.encoder.encode(ragged, candidate), rows.encoder.encode(context, candidate))
    masked = {**context, "user": np.ma.MaskedArray(context["user"], mask=np.arange(64) == 0)}
    nulls = {**context, "user": [None, *context["user"][1:].tolist()]}
    assert_same(rows.encoder.encode(masked, candidate), rows.encoder.encode(nulls, candidate))


def test_one_context_row_encodes_like_repeated_rows(rows):
    context, candidate = sides(rows.columns, rows=range(10))
    one = {name: values[:1] for name, values in context.items()}
    joined = rows.encoder.encode({name: values[:1] * 10 for name, values in context.items()}, candidate)
    split = rows.encoder.encode(one, candidate)
    np.testing.assert_array_equal(split.candidate_ids, joined.candidate_ids)
    np.testing.assert_array_equal(split.candidate_numbers, joined.candidate_numbers)
    np.testing.assert_array_equal(split.context_numbers, joined.context_numbers[:1])


def test_unseen_and_missing_values_have_separate_rows(rows):
    context = {"user": [999], "city": [None], "age": [None], "history": [None]}
    candidate = {"item": [999, None], "tags": ["zzz", None], "length": [None, 1e30], "vector": [None, [1, 2, 3]]}
    packed = rows.encoder.encode(context, candidate)
    assert packed.context_ids.tolist() == [[1, 0, 0, 0, 0]]
    fields = {f.feature: f.start for f in rows.encoder.layout.candidate.ids}
    assert packed.candidate_ids[:, fields["item"]].tolist() == [1, 0]
    assert packed.candidate_ids[:, fields["tags"]].tolist() == [1, 0]
    assert np.isfinite(packed.candidate_numbers).all()


def test_a_sequence_keeps_its_last_ids_and_a_list_its_first(rows):
    def encoded(history, tags):
        context = {"user": [1], "city": ["Bern"], "age": [30.0], "history": [history]}
        packed = rows.encoder.encode(context, {"item": [1], "tags": [tags], "length": [1.0], "vector": [[0, 0, 0]]})
        place = next(f.start for f in rows.encoder.layout.candidate.ids if f.feature == "tags")
        return packed.context_ids[0, 2:].tolist(), packed.candidate_ids[0, place : place + 2].tolist()

    assert encoded([5, 1, 2, 3], "0,1,2") == encoded([1, 2, 3], " 0 , 1 ")
    short = encoded([1], "0")
    assert short[0][1:] == [0, 0]
    assert short[1][1] == 0


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("item", "x", "an integer"),
        ("item", 1.5, "integer"),
        ("item", 2**80, "2**63 - 1"),
        ("length", "long", "a number"),
        ("length", float("inf"), "a finite number"),
        ("vector", [1.0], "3"),
        ("tags", {7: 1}, "text separated by ','"),
        ("tags", 7, "a list whose every value is a string"),
    ],
)
def test_a_wrong_value_is_reported(rows, column, value, expected):
    context, candidate = sides(rows.columns, rows=range(3))
    candidate[column] = [candidate[column][0], value, candidate[column][2]]
    with pytest.raises(ColumnError) as caught:
        rows.encoder.encode(context, candidate)
    assert (caught.value.column, caught.value.row) == (column, 1)
    assert expected in str(caught.value)


def test_rare_values_share_the_unknown_row():
    columns = columns_of(50)
    columns["user"] = np.array([1] * 30 + [2] * 15 + [3, 4, 5, 6, 7])
    features = {n: f.model_dump() for n, f in schema_of().context.items()}
    features["user"] |= {"min_count": 5}
    encoder, _ = fitted(columns, schema_of(context=features))
    ids = encoder.encode(*sides(columns)).context_ids[:, 0]
    assert ids[[0, 30]].tolist() == [2, 3]
    assert set(ids[45:].tolist()) == {1}


def test_hashed_values_need_no_fitting_and_never_fail():
    columns = columns_of(50)
    features = {n: f.model_dump() for n, f in schema_of().context.items()}
    features["user"] = {"kind": "categorical", "hash_buckets": 5, "dimension": 4}
    encoder, _ = fitted(columns, schema_of(context=features))
    columns["user"] = np.arange(50) + 10**6
    ids = encoder.encode(*sides(columns)).context_ids[:, 0]
    assert set(ids.tolist()) <= set(range(2, 7))
    assert len(set(ids.tolist())) > 1


def test_numbers_are_standardised_and_missing_ones_marked(rows):
    age = rows.columns["age"]
    place = next(f for f in rows.encoder.layout.context.numbers if f.feature == "age")
    got = rows.packed.context_numbers[:, place.start : place.start + place.length]
    missing = np.isnan(age)
    np.testing.assert_array_equal(got[:, 1], missing)
    np.testing.assert_allclose(
        got[~missing, 0], (age[~missing] - np.nanmean(age)) / np.nanstd(age), rtol=1e-4, atol=1e-5
    )
    assert (got[missing, 0] == 0).all()


def test_nulls_in_the_first_chunk_do_not_determine_the_type():
    columns = columns_of(40)
    columns["city"] = np.array([None] * 20 + ["Bern"] * 20, dtype=object)
    encoder, _ = fitted(columns, chunks=2)
    assert encoder.encode(*sides(columns)).context_ids[:, 1].tolist() == [0] * 20 + [2] * 20


def test_joining_encoded_items_with_a_context_equals_encoding_both(rows):
    context = {name: rows.columns[name][:1] for name in ("user", "city", "age", "history")}
    candidates = {name: rows.columns[name] for name in ("item", "tags", "length", "vector")}
    expected = rows.encoder.encode(context, candidates)
    items = rows.encoder.encode_items(candidates)
    assert list(items.codes) == ["item"]
    for part, other in zip(rows.encoder.join(context, items), expected, strict=True):
        assert part.dtype == other.dtype
        np.testing.assert_array_equal(part, other)
    with pytest.raises(ValueError, match="2 context rows: expected 1"):
        rows.encoder.join({name: values[:2] for name, values in rows.columns.items()}, items)
