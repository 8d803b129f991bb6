import numpy as np
import pytest

from training.data.examination import Examination, posterior


def test_the_posterior_of_relevance():
    # Of ten rows at e = 1/2 and r = .4, two are clicked; of the eight others two are relevant, and were not examined.
    relevant = posterior(np.array([1.0, 0, 0]), np.array([0.5, 0.5, 1]), np.array([0.4, 0.4, 0.4]))
    np.testing.assert_allclose(relevant, [1, 2 / 8, 0])


def drawn(rows, seed=0):
    """Clicks of rows of two kinds of items, of which good ones are shown first more often."""
    random = np.random.default_rng(seed)
    good = random.integers(0, 2, rows)
    places = np.clip(3 - good + random.integers(-1, 2, rows), 1, 3)
    relevance = np.where(good == 1, 0.6, 0.2)
    truth = np.array([1.0, 1.0, 0.5, 0.2])
    return (random.random(rows) < relevance * truth[places]).astype(float), places, relevance


def test_examination_is_found_where_relevance_is_known():
    clicks, places, relevance = drawn(60_000)
    estimate = Examination(clicks, np.ones(len(clicks)), places, 4)
    crude = estimate.examination.copy()
    logits = np.log(relevance) - np.log1p(-relevance)
    for _ in range(10):
        estimate.gradients(logits)
    np.testing.assert_allclose(estimate.examination[1:], [1, 0.5, 0.2], rtol=0.05)
    assert crude[3] < 0.15  # the rates of places confuse it with relevance


def test_gradients_vanish_at_the_truth_on_average_and_rows_without_weight_have_none():
    clicks, places, relevance = drawn(60_000)
    weights = (np.arange(len(clicks)) % 2).astype(float)
    estimate = Examination(clicks, weights, places, 4)
    logits = np.log(relevance) - np.log1p(-relevance)
    for _ in range(10):
        gradients, curvatures = estimate.gradients(logits)
    assert abs(gradients.sum() / weights.sum()) < 0.005
    assert not gradients[::2].any()
    assert not curvatures[::2].any()


def test_a_place_without_rows_has_the_mean_and_extremes_are_bounded():
    clicks, places = np.array([1.0, 0, 0, 0] * 50), np.array([1, 2, 2, 2] * 50)
    estimate = Examination(clicks, np.ones(200), places, 4)
    estimate.gradients(np.zeros(200))
    assert estimate.examination[1] == 1
    assert 0.01 <= estimate.examination[2] < 0.5
    assert estimate.examination[2] < estimate.examination[3] < 1


@pytest.mark.parametrize("clicked", [0.0, 1.0])
def test_logs_of_one_label_stay_finite(clicked):
    estimate = Examination(np.full(10, clicked), np.ones(10), np.arange(10) % 3, 4)
    assert np.isfinite(estimate.start())
    assert all(np.isfinite(part).all() for part in estimate.gradients(np.zeros(10)))
