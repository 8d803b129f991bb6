import numpy as np
import pytest

from ranker.fusion.learned import list_objectives
from ranker.fusion.learned.list_objectives import LIST_OBJECTIVES

SIZES = np.array([3, 1, 5, 2])
ROWS = int(SIZES.sum())
OF = np.repeat(np.arange(len(SIZES)), SIZES)
RANDOM = np.random.default_rng(0)
SCORES, LABELS, WEIGHTS = RANDOM.normal(size=ROWS), RANDOM.integers(0, 4, ROWS) / 2.0, RANDOM.uniform(0.5, 2, ROWS)


def loss(name, scores):
    """The sum over requests, by a loop over rows and pairs."""
    total = 0.0
    for request in range(len(SIZES)):
        rows = np.flatnonzero(request == OF)
        if name == "softmax":
            logs = scores[rows] - np.log(np.exp(scores[rows]).sum())
            total -= (WEIGHTS[rows] * LABELS[rows] * logs).sum() / max(LABELS[rows].sum(), 1e-9)
            continue
        pairs = [(i, j) for i in rows for j in rows if LABELS[i] > LABELS[j]]
        losses = [WEIGHTS[i] * np.log1p(np.exp(scores[j] - scores[i])) for i, j in pairs]
        total += sum(losses) / (len(pairs) if name == "pairwise_logistic" and pairs else 1)
    return total


@pytest.mark.parametrize("name", LIST_OBJECTIVES)
def test_gradients_are_those_of_the_loss(name, monkeypatch):
    monkeypatch.setattr(list_objectives, "PAIRS", 10)  # several blocks
    gradient, curvature = LIST_OBJECTIVES[name](SCORES, LABELS, WEIGHTS, SIZES)
    for row in range(ROWS):
        step = np.zeros(ROWS)
        step[row] = 1e-4
        low, here, high = (loss(name, SCORES + factor * step) for factor in (-1, 0, 1))
        assert gradient[row] == pytest.approx((high - low) / 2e-4, abs=1e-6)
        assert curvature[row] == pytest.approx((high - 2 * here + low) / 1e-8, abs=1e-4)


@pytest.mark.parametrize("name", LIST_OBJECTIVES)
def test_extreme_scores_and_equal_labels_are_finite(name):
    for scores, labels in ((1e6 * SCORES, LABELS), (SCORES, np.zeros(ROWS)), (np.zeros(ROWS), np.ones(ROWS))):
        gradient, curvature = LIST_OBJECTIVES[name](scores, labels, WEIGHTS, SIZES)
        assert np.isfinite(gradient).all()
        assert (curvature > 0).all()
