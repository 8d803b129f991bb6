import numpy as np
import pytest

from ranker.fusion import FusionError, order


def test_best_first_and_ties_in_input_order() -> None:
    assert order([0.2, 0.9, 0.5, 0.9, 0.5], None).tolist() == [1, 3, 2, 4, 0]


def test_a_tie_at_the_cutoff_keeps_the_earlier_candidate() -> None:
    assert order([0.5, 0.9, 0.5, 0.5], 2).tolist() == [1, 0]


@pytest.mark.parametrize("candidates", [1, 5, 300])
def test_top_k_is_the_head_of_the_full_ranking(candidates: int) -> None:
    rng = np.random.default_rng(candidates)
    fused = rng.integers(-3, 4, candidates) / 2
    for k in range(1, candidates + 3):
        np.testing.assert_array_equal(order(fused, k), order(fused)[:k])


def test_no_candidates() -> None:
    assert order([], 5).tolist() == []


@pytest.mark.parametrize(
    ("fused", "k", "text"),
    [([1.0], 0, "k must be >= 1, got 0"), ([[1.0]], None, r"shape \[1, 1\]"), ([1.0, float("nan")], 1, "candidate 1")],
)
def test_errors(fused: list[float], k: int | None, text: str) -> None:
    with pytest.raises(FusionError, match=text):
        order(fused, k)
