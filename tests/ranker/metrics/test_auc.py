import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ranker.metrics import auc


def sample(seed: int, rows: int = 500) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and scores that say something about them, with many ties."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, rows)
    return labels, np.round(rng.normal(labels, 1.5), 1)


def test_hand_computed() -> None:
    # Of 2 x 3 pairs: 0.8 beats 0.1, 0.4, 0.5 (3); 0.4 beats 0.1, ties with 0.4, loses to 0.5 (1.5).
    assert auc([0, 1, 0, 1, 0], [0.1, 0.4, 0.4, 0.8, 0.5]) == 4.5 / 6


@pytest.mark.parametrize(("scores", "expected"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([7, 7, 7, 7], 0.5)])
def test_extremes(scores: list[float], expected: float) -> None:
    assert auc([0, 0, 1, 1], scores) == expected


@pytest.mark.parametrize("seed", range(5))
def test_equals_sklearn_with_ties(seed: int) -> None:
    labels, scores = sample(seed)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_equals_sklearn_with_ties_and_weights(seed: int) -> None:
    labels, scores = sample(seed)
    weights = np.random.default_rng(seed + 100).exponential(size=len(labels))
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    assert auc(labels, scores, weights) == pytest.approx(expected, abs=1e-12)


def test_a_weight_is_a_number_of_copies() -> None:
    labels, scores = sample(7)
    copies = np.random.default_rng(8).integers(0, 4, len(labels))
    assert auc(labels, scores, copies) == auc(np.repeat(labels, copies), np.repeat(scores, copies))


def test_invariant_to_increasing_maps_and_reversed_by_negation() -> None:
    labels, scores = sample(9)
    assert auc(labels, np.exp(scores / 3)) == auc(labels, scores)
    assert auc(labels, -scores) == pytest.approx(1 - auc(labels, scores), abs=1e-15)


@pytest.mark.parametrize("labels", [[], [1, 1], [0, 0]])
def test_undefined_without_both_classes(labels: list[int]) -> None:
    assert math.isnan(auc(labels, np.linspace(0, 1, len(labels))))


def test_undefined_where_a_class_has_no_weight() -> None:
    assert math.isnan(auc([0, 1, 1], [0.1, 0.2, 0.3], [0.0, 1.0, 0.3]))


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "text"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], None, r"labels must be 0 or 1, got 2.0 in row 2"),
        ([0, float("nan")], [0.1, 0.2], None, r"labels must be 0 or 1, got nan in row 1"),
        ([0, 1], [0.1, float("inf")], None, r"scores must be finite, got inf in row 1"),
        ([0, 1], [0.1, 0.2, 0.3], None, r"scores must have 2 rows, as the other arrays, got 3"),
        ([[0, 1]], [0.1, 0.2], None, r"labels must be \[rows\], got shape \[1, 2\]"),
        ([0, 1], [0.1, 0.2], [1.0, -2.0], r"weights must be >= 0, got -2.0 in row 1"),
        ([0, 1], [0.1, 0.2], [1.0], r"weights must have 2 rows.*got 1"),
    ],
)
def test_bad_inputs_are_reported(
    labels: list[int], scores: list[float], weights: list[float] | None, text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        auc(labels, scores, weights)
