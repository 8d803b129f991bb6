from dataclasses import replace

import numpy as np
import pytest

from ranker.encoding import EncoderFitter
from ranker.encoding.carried import Carried
from ranker.encoding.kinds.numeric_drift import bucket_shares, buckets_moved, scale_moved
from ranker.schema import Schema

BUCKETS = {"kind": "numeric", "transform": "buckets", "buckets": 4, "dimension": 2}


def test_a_scale_moves_by_half_a_deviation_or_a_factor_of_two():
    assert scale_moved(0.5, 1.9, 0.0, 1.0) is None
    assert scale_moved(0.6, 1.0, 0.0, 1.0) == "mean 0 -> 0.6, deviation 1 -> 1"
    assert scale_moved(0.0, 2.1, 0.0, 1.0) is not None
    assert scale_moved(0.0, 0.4, 0.0, 1.0) is not None


def test_a_constant_that_stays_one_has_not_moved():
    assert scale_moved(2.4, 0.0, 2.4, 1.0) is None
    assert scale_moved(2.4, 8.9e-16, 2.4, 1.0) is None  # rounding error
    assert scale_moved(3.4, 0.0, 2.4, 1.0) is not None
    assert scale_moved(2.4, 0.0, 2.4, 3.0) is not None


def test_buckets_move_when_a_fifth_of_the_values_lie_in_others():
    edges = np.array([1.0, 2.0])
    shares = bucket_shares(np.array([0, 1, 1.5, 2, 9]), edges)
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.4])
    assert buckets_moved(np.array([0.4, 0.4, 0.2]), shares) is None
    assert buckets_moved(np.array([0.5, 0.4, 0.1]), shares) == "30% of the values lie in other buckets than before"


def fitted(values, before=None, feature=BUCKETS, **options):
    schema = Schema.model_validate({"candidate": {"x": feature}, "tasks": {"click": {"kind": "binary"}}})
    fitter = EncoderFitter(schema, 0, Carried(before[1], before[0].facts(), 0) if before else None, **options)
    count = len(values)
    fitter.add({"x": values}, np.zeros((count, 1)), np.ones((count, 1), dtype=bool), np.zeros(count, dtype=np.int64))
    return fitter, fitter.fitted()


def test_buckets_are_kept_or_fitted_again_and_rows_keep_their_rank():
    before = fitted(np.arange(400.0))
    kept = fitted(np.arange(400.0) + 200, before)
    again = fitted(np.arange(400.0) + 200, before, refit_scales=True)
    for fitter, _ in (kept, again):
        assert fitter.moved() == {"x": "50% of the values lie in other buckets than before"}
    assert kept[1].encodings["x"] == before[1].encodings["x"]
    assert again[1].encodings["x"].edges[0] > before[1].encodings["x"].edges[0]
    assert again[1].encodings["x"].row_moves(before[1].encodings["x"]).is_identity(5, 5)
    np.testing.assert_array_equal(kept[0].facts()["x"]["shares"], before[0].facts()["x"]["shares"])


def test_another_transform_starts_afresh():
    before = fitted(np.arange(400.0))
    after = fitted(np.arange(400.0), before, {"kind": "numeric"})
    assert after[0].notes == ["schema feature 'x' starts afresh: its transform was 4 buckets, and is now standardise"]
    assert after[1].encodings["x"].mean == 199.5
    assert after[1].encodings["x"].row_moves(before[1].encodings["x"]) is None


@pytest.mark.parametrize("feature", [BUCKETS, {"kind": "numeric"}])
def test_a_scale_without_values_is_fitted_by_the_first_ones_and_then_kept(feature):
    missing, values = np.full(400, np.nan), np.arange(400.0)
    first = fitted(missing, feature=feature)
    still = fitted(missing, first, feature)
    assert still[1].encodings["x"] == first[1].encodings["x"]
    found = fitted(values, still, feature)
    fresh = fitted(values, feature=feature)[1].encodings["x"]
    assert found[1].encodings["x"] == replace(fresh, has_missing=True)
    assert found[0].moved() == {}
    later = fitted(values * 9, found, feature)
    assert later[1].encodings["x"] == found[1].encodings["x"]
    assert later[0].moved().keys() == {"x"}


def test_a_scale_of_an_artifact_without_counts_is_kept():
    before = fitted(np.full(400, 1.0), feature={"kind": "numeric"})
    before[0].facts = dict
    assert fitted(np.arange(400.0), before, {"kind": "numeric"})[1].encodings["x"] == before[1].encodings["x"]
