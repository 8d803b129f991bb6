"""Columns of a model's log."""

import pyarrow as pa
import pytest

from ranker.exposures import hashed_unit, log_schema
from ranker.exposures.columns import ITEM, REQUEST, ROW
from ranker.exposures.schema import columns_of


def test_the_columns_are_those_of_the_contract_and_of_the_model(artifact):
    schema = log_schema(artifact)
    assert schema.names[: len(REQUEST)] == [*REQUEST]
    scores = [f"score.{objective}" for objective in artifact.manifest.tasks]
    assert schema.names[len(REQUEST) :] == [ITEM, *ROW, *scores]


def test_features_have_the_types_of_requests_lists_included(shop):
    both = [columns_of(shop.schema, side) for side in ("context", "candidate")]
    schema = log_schema(shop, *both)
    assert schema.field(ITEM).type == pa.string()
    expected = {
        "context.city": pa.string(),
        "context.age": pa.float64(),
        "context.history": pa.list_(pa.string()),
        "candidate.shelf": pa.int64(),
        "candidate.tags": pa.list_(pa.string()),
        "candidate.vector": pa.list_(pa.float64()),
    }
    assert {name: schema.field(name).type for name in expected} == expected


def test_scores_before_calibration_are_there_if_a_fusion_calibrates(write_artifact, tmp_path):
    fusion = {"calibration": {"click": "platt"}}
    state = {"calibration": {"click": {"method": "platt", "constants": {"slope": [2.0], "intercept": [-1.0]}}}}
    names = log_schema(write_artifact(tmp_path, fusion=fusion, state=state)).names
    assert [name for name in names if name.startswith("raw.")] == ["raw.click"]


def test_an_unknown_column_is_named_with_the_nearest(artifact):
    with pytest.raises(ValueError, match=r"'citi' is not a context column; did you mean 'city'"):
        log_schema(artifact, context=["citi"])


def test_hashed_units_are_equal_for_equal_salts_only():
    assert hashed_unit("7", "salt") == hashed_unit("7", "salt")
    assert len({hashed_unit("7", "salt"), hashed_unit("8", "salt"), hashed_unit("7", "other")}) == 3
    assert len(hashed_unit("7", "salt")) == 32
