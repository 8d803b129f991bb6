import numpy as np
import pytest

from ranker.metrics import auc, xauc


def by_pairs(labels, scores):
    first, second = np.triu_indices(len(labels), 1)
    signs = np.sign(labels[first] - labels[second]), np.sign(scores[first] - scores[second])
    differ = signs[0] != 0
    return ((signs[0] * signs[1])[differ] + 1).mean() / 2


@pytest.mark.parametrize("levels", [2, 5, 64, 10_000])
@pytest.mark.parametrize("tied", [False, True])
def test_it_counts_all_pairs(levels, tied):
    random = np.random.default_rng(levels)
    labels = random.integers(0, levels, 300).astype(float)
    scores = random.integers(0, 30, 300) if tied else random.normal(size=300) + labels / levels
    assert xauc(labels, scores) == pytest.approx(by_pairs(labels, scores), abs=1e-12)


def test_three_rows_by_hand():
    """Of the pairs 1-2, 1-3 and 2-3 the first is ordered alike, the second reversed, the third tied."""
    assert xauc([1.0, 2.0, 0.5], [0.1, 0.3, 0.3]) == pytest.approx((1 + 0 + 0.5) / 3)


def test_of_binary_labels_it_is_the_auc():
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 500), random.integers(0, 40, 500)
    assert xauc(labels, scores) == pytest.approx(auc(labels, scores))


@pytest.mark.parametrize("labels", [[], [1.0], [2.0, 2.0]])
def test_it_is_undefined_without_different_labels(labels):
    assert np.isnan(xauc(labels, np.arange(len(labels))))


def test_an_invalid_score_names_its_row():
    with pytest.raises(ValueError, match="scores must be finite, got inf in row 0"):
        xauc([1.0, 2.0], [np.inf, 0.0])
