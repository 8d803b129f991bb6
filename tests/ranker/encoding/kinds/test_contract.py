"""What every feature kind promises. The example of a kind stands in its own test file, ``test_<kind>.py``."""

import io
from importlib import import_module
from typing import get_args

import numpy as np
import orjson
import pytest
from pydantic import TypeAdapter, ValidationError

from ranker.encoding import ColumnError, EncoderFitter, from_state, to_state
from ranker.encoding.kinds import FEATURE_KINDS
from ranker.schema import Schema
from serving.protocol.column_types import expected
from serving.protocol.formats.json_columns import typed

SHARED = [7, 8, 9]


@pytest.fixture(params=sorted(FEATURE_KINDS))
def example(request):
    return import_module(f"tests.ranker.encoding.kinds.test_{request.param}").EXAMPLE


def schema_of(example, side="candidate"):
    features = {"shared": {"kind": "categorical"}, "x": example.options}
    other = {} if side == "candidate" else {"candidate": {"item": {"kind": "categorical"}}}
    return Schema.model_validate({side: features, **other, "tasks": {"click": {"kind": "binary"}}})


def fitted(schema, *chunks):
    fitter = EncoderFitter(schema)
    for values in chunks:
        count = len(values)
        labels, known = np.zeros((count, 1)), np.ones((count, 1), dtype=bool)
        fitter.add(columns_of(values), labels, known, np.zeros(count, dtype=np.int64))
    return fitter.fitted()


def columns_of(values):
    ids = (SHARED * len(values))[: len(values)]
    return {"x": values, "shared": ids, "item": ids}


def encode(encoder, values):
    return encoder.encode(columns_of(values), columns_of(values))


def own(encoder, packed, side):
    """Ids and numbers of the feature ``x`` alone."""
    layout = getattr(encoder.layout, side)
    arrays = ((layout.ids, getattr(packed, f"{side}_ids")), (layout.numbers, getattr(packed, f"{side}_numbers")))
    return [array[:, f.start : f.start + f.length] for fields, array in arrays for f in fields if f.feature == "x"]


def assert_same(first, second):
    for array, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(array, other)


def test_the_config_is_closed_frozen_and_named_as_registered(example):
    name = example.options["kind"]
    kind = FEATURE_KINDS[name]
    assert get_args(kind.model_fields["kind"].annotation) == (name,)
    assert kind.__doc__
    assert all(field.description for option, field in kind.model_fields.items() if option != "kind")
    schema = schema_of(example)
    assert Schema.model_validate(schema.model_dump(mode="json")) == schema
    assert Schema.model_validate_json(schema.model_dump_json()) == schema
    with pytest.raises(ValidationError, match="unknown key 'requird'; did you mean 'required'"):
        schema_of(example._replace(options={**example.options, "requird": False}))
    with pytest.raises(ValidationError, match="frozen"):
        schema.features["x"].required = False


@pytest.mark.parametrize("side", ["context", "candidate"])
def test_encoded_arrays_have_the_widths_of_the_layout(example, side):
    encoder = fitted(schema_of(example, side), example.values)
    packed = encode(encoder, example.values)
    assert tuple(array.shape[1] for array in packed) == encoder.layout.widths()
    found = own(encoder, packed, side)
    assert found
    assert all(array.shape[0] == len(example.values) and array.shape[1] for array in found)
    width = encoder.schema.features["x"].embedding_width
    of_x = [f for f in getattr(encoder.layout, side).ids if f.feature == "x"]
    assert width is None or {field.dimension for field in of_x} <= {width}
    for field in of_x:
        assert packed[0 if side == "context" else 2].max() + field.offset < encoder.layout.tables[field.dimension]


def test_distinct_values_are_encoded_differently(example):
    encoder = fitted(schema_of(example), example.values)
    rows = np.concatenate(own(encoder, encode(encoder, example.values), "candidate"), axis=1)
    assert len(np.unique(rows, axis=0)) == len(example.values)


@pytest.mark.parametrize("side", ["context", "candidate"])
def test_a_saved_encoder_encodes_the_same(example, side):
    schema = schema_of(example, side)
    encoder = fitted(schema, example.values, [None, *example.values])
    state, arrays = to_state(encoder)
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = from_state(schema, orjson.loads(orjson.dumps(state)), dict(loaded))
    values = [*example.values, None, *example.values[::-1]]
    assert_same(encode(encoder, values), encode(again, values))
    assert again.layout == encoder.layout
    assert to_state(again)[0] == state
    own_section = FEATURE_KINDS[example.options["kind"]].state_section
    assert own_section not in ("statistics", "times", "plain_times")
    for section in {kind.state_section for kind in FEATURE_KINDS.values()} - {None}:
        assert ("x" in state[section]) == (section == own_section)


def test_the_encoding_does_not_depend_on_the_chunks(example):
    schema, values = schema_of(example), [*example.values, None]
    whole, pieces = fitted(schema, values), fitted(schema, values[:1], values[1:])
    for array, other in zip(encode(whole, values), encode(pieces, values), strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-6)


def test_missing_values_are_finite_and_equal(example):
    for chunk in (example.values, [*example.values, None], [None] * 3):
        encoder = fitted(schema_of(example), chunk)
        packed = encode(encoder, [None, *example.values[:1], None] if chunk[0] is not None else [None] * 3)
        for array in own(encoder, packed, "candidate"):
            assert np.isfinite(array).all()
            np.testing.assert_array_equal(array[0], array[2])


def test_a_batch_of_no_rows_is_encoded(example):
    encoder = fitted(schema_of(example), example.values)
    assert [array.shape for array in encode(encoder, [])] == [(0, width) for width in encoder.layout.widths()]


def test_an_invalid_value_is_reported_with_column_and_row(example):
    encoder = fitted(schema_of(example), example.values)
    with pytest.raises(ColumnError) as caught:
        encode(encoder, [example.values[0], example.wrong])
    assert (caught.value.column, caught.value.row) == ("x", 1)
    assert example.told in str(caught.value)


def test_requests_accept_the_values_that_the_encoder_accepts(example):
    encoder = fitted(schema_of(example), example.values)
    kind = expected(encoder, "x")
    one, column = TypeAdapter(kind.type), TypeAdapter(kind.column)
    for value in [*example.values, None]:
        assert one.validate_python(value, strict=True) == value
    values = column.validate_python([*example.values, None], strict=True)
    assert_same(encode(encoder, values), encode(encoder, [*example.values, None]))
    with pytest.raises(ValidationError):
        one.validate_python(example.wrong, strict=True)
    assert TypeAdapter(kind.type).json_schema()
    if not kind.listed:  # the columns that formats read fast are encoded alike
        assert_same(
            encode(encoder, typed({"x": example.values}, {"x": kind.value})["x"]), encode(encoder, example.values)
        )


def test_fusions_read_only_features_with_one_value_per_row(example):
    encoder = fitted(schema_of(example), example.values)
    feature, given = encoder.schema.features["x"], encoder.encodings["x"].request_type
    assert not (feature.single_valued and given.listed)
    if feature.identifies:
        assert feature.single_valued
        assert given.id_type == encoder.encodings["x"].coder.kind


def test_the_csv_type_is_one_that_csv_files_support(example):
    encoder = fitted(schema_of(example), example.values)
    declared, met = encoder.schema.features["x"].csv_type, encoder.encodings["x"].csv_type
    assert declared in (None, "number", "text", "unsigned", "integer", "id")
    assert declared == met or declared == "id"
