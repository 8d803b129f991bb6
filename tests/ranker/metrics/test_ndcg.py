import math
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from ranker.metrics import ndcg


def test_hand_computed() -> None:
    # Ranked: gains 0, 3, 1. DCG = 3 / log2(3) + 1 / 2; ideal 3 + 1 / log2(3).
    expected = (3 / math.log2(3) + 0.5) / (3 + 1 / math.log2(3))
    found = ndcg([3.0, 0.0, 1.0], [0.5, 0.9, 0.1], ["u", "u", "u"])
    assert found.value == pytest.approx(expected, abs=1e-15)
    assert found.groups == 1


def test_only_the_first_k_ranks_count() -> None:
    expected = (3 / math.log2(3)) / (3 + 1 / math.log2(3))
    assert ndcg([3.0, 0.0, 1.0], [0.5, 0.9, 0.1], [0, 0, 0], k=2).value == pytest.approx(expected, abs=1e-15)
    assert ndcg([3.0, 0.0, 1.0], [0.5, 0.9, 0.1], [0, 0, 0], k=1).value == 0.0


def test_tied_scores_share_their_gains() -> None:
    # Either order is as likely: 1 or 1 / log2(3), with an ideal of 1.
    expected = (1 + 1 / math.log2(3)) / 2
    assert ndcg([1.0, 0.0], [0.5, 0.5], [0, 0]).value == pytest.approx(expected, abs=1e-15)
    assert ndcg([1.0, 0.0], [0.5, 0.5], [0, 0], k=1).value == 0.5


@pytest.mark.parametrize("k", [None, 1, 3, 10])
def test_equals_sklearn_group_by_group(k: int | None) -> None:
    rng = np.random.default_rng(0)
    groups = np.concatenate([np.repeat(np.arange(30), 2), rng.integers(0, 30, 300)])
    gains = rng.integers(0, 4, 360).astype(float)
    gains[groups == 7] = 0.0
    scores = np.round(rng.random(360), 1)
    shuffled = rng.permutation(360)
    found = ndcg(gains[shuffled], scores[shuffled], groups[shuffled], k)
    each = [ndcg_score([gains[groups == g]], [scores[groups == g]], k=k) for g in range(30) if g != 7]
    assert found.value == pytest.approx(np.mean(each), abs=1e-12)
    assert found.groups == 29


def test_perfect_order_is_one() -> None:
    rng = np.random.default_rng(1)
    gains, groups = rng.random(100), rng.integers(0, 9, 100)
    assert ndcg(gains, gains * 5 - 2, groups, k=4).value == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("gains", [[], [0.0, 0.0]])
def test_undefined_without_any_gain(gains: Sequence[float]) -> None:
    found = ndcg(gains, gains, gains)
    assert math.isnan(found.value)
    assert found.groups == 0


def test_bad_inputs_are_reported() -> None:
    with pytest.raises(ValueError, match=r"gains must be >= 0, got -1.0 in row 1"):
        ndcg([0.0, -1.0], [0.1, 0.2], [0, 0])
    with pytest.raises(ValueError, match="k must be >= 1, got 0"):
        ndcg([0.0, 1.0], [0.1, 0.2], [0, 0], k=0)
