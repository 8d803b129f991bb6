import math

import numpy as np
import pytest

from ranker.fusion import FUSIONS, Candidates, Requests, build_fusion


def test_hand_computed() -> None:
    fusion = build_fusion("rank_bucket", ["click", "watch"], {"weight": {"watch": 2.0}, "buckets": 4})
    # click: better candidates 2, 0, 3, 1 of 4 -> buckets 2, 0, 3, 1 -> worth 0.5, 1, 0.25, 0.75
    # watch: better candidates 0, 1, 1, 3 of 4 -> buckets 0, 1, 1, 3 -> worth 1, 0.75, 0.75, 0.25
    fused = fusion.fuse([[0.3, 90.0], [0.9, 20.0], [0.1, 20.0], [0.5, 3.0]])
    assert fused.tolist() == [2.5, 2.5, 1.75, 1.25]


def test_fewer_candidates_than_buckets_spread_evenly() -> None:
    fused = build_fusion("rank_bucket", ["click"], {}).fuse([[0.4], [0.1], [0.3], [0.2], [0.5]])
    np.testing.assert_allclose(fused, [0.8, 0.2, 0.6, 0.4, 1.0], rtol=1e-15)


@pytest.mark.parametrize("candidates", [1, 2, 3, 29, 100, 500, 1000, 777])
@pytest.mark.parametrize("buckets", [2, 7, 100, 9999, 10_000])
def test_bucket_sizes_differ_by_at_most_one(candidates: int, buckets: int) -> None:
    rng = np.random.default_rng(candidates)
    standing = rng.permutation(candidates)  # 0 is the best
    fused = build_fusion("rank_bucket", ["click"], {"buckets": buckets}).fuse(-standing[:, None].astype(float))
    assert fused.tolist() == [(buckets - buckets * int(g) // candidates) / buckets for g in standing]
    assert fused.max() == 1.0
    assert fused.min() >= 1 / buckets
    if candidates >= buckets:
        assert fused.min() == 1 / buckets
        sizes = np.unique(fused, return_counts=True)[1]
        assert len(sizes) == buckets
        assert math.floor(candidates / buckets) <= sizes.min() <= sizes.max() <= math.ceil(candidates / buckets)


def test_fully_tied_candidates_are_all_in_the_best_bucket() -> None:
    assert build_fusion("rank_bucket", ["a", "b"], {}).fuse(np.full((6, 2), 0.3)).tolist() == [2.0] * 6


def test_ties_share_the_bucket_of_their_best_rank() -> None:
    fused = build_fusion("rank_bucket", ["a"], {"buckets": 4}).fuse([[0.9], [0.5], [0.5], [0.1]])
    assert fused.tolist() == [1.0, 0.75, 0.75, 0.25]


def test_standings_of_a_log_equal_those_per_request() -> None:
    rng = np.random.default_rng(0)
    scores, keys = np.round(rng.random((150, 3)), 1), rng.integers(0, 5, 150)
    candidates = Candidates.of(("a", "b", "c"), scores, Requests.of(keys))
    standing = FUSIONS["rank_bucket"](("a", "b", "c")).prepare(candidates)
    for key in range(5):
        request = scores[keys == key]
        better = (request[None] > request[:, None]).sum(axis=1)
        np.testing.assert_array_equal(standing[keys == key], better / len(request))


def test_bucket_counts_vary_per_parameter_set() -> None:
    candidates = Candidates.of(("a",), [[0.9], [0.6], [0.4], [0.1]])
    fused = FUSIONS["rank_bucket"](("a",)).fuse(
        candidates, {"weight": np.ones((2, 1)), "buckets": np.array([2.0, 4.0])}
    )
    assert fused.tolist() == [[1.0, 1.0, 0.5, 0.5], [1.0, 0.75, 0.5, 0.25]]


def test_whole_number_as_float_is_stored_as_integer() -> None:
    value = build_fusion("rank_bucket", ["a"], {"buckets": 10.0}).values["buckets"]
    assert value == 10
    assert isinstance(value, int)
    with pytest.raises(ValueError, match=r"'buckets'.*whole number in \[2, 10000\], got 10.5"):
        build_fusion("rank_bucket", ["a"], {"buckets": 10.5})
