import math

import numpy as np
import pytest
import sklearn.metrics

from ranker.metrics import log_loss
from ranker.metrics.log_loss import CLIP


def test_hand_computed() -> None:
    assert log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2, abs=1e-15)
    assert log_loss([1, 0], [0.8, 0.4], [3, 1]) == pytest.approx(-(3 * math.log(0.8) + math.log(0.6)) / 4, abs=1e-15)


def test_equals_sklearn() -> None:
    rng = np.random.default_rng(0)
    labels, scores, weights = rng.integers(0, 2, 300), rng.uniform(0.001, 0.999, 300), rng.random(300)
    expected = sklearn.metrics.log_loss(labels, scores, sample_weight=weights)
    assert log_loss(labels, scores, weights) == pytest.approx(expected, abs=1e-12)


def test_the_base_rate_has_the_entropy_as_loss() -> None:
    labels = [1] * 3 + [0] * 7
    assert log_loss(labels, [0.3] * 10) == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7), abs=1e-15)


def test_a_certain_wrong_score_costs_the_clipped_loss() -> None:
    assert log_loss([0, 1], [1.0, 0.0]) == pytest.approx(-math.log(CLIP), rel=1e-9)
    assert log_loss([0, 1], [0.0, 1.0]) == pytest.approx(CLIP, rel=1e-6)


def test_undefined_without_rows() -> None:
    assert math.isnan(log_loss([], []))


@pytest.mark.parametrize("score", [-0.1, 1.5])
def test_scores_must_be_probabilities(score: float) -> None:
    with pytest.raises(ValueError, match=rf"scores must be probabilities in \[0, 1\], got {score} in row 1"):
        log_loss([0, 1], [0.1, score])
