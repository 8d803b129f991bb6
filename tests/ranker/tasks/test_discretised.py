import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logit

from ranker.tasks import TASK_KINDS


def fitted(labels, numbers=None, weights=None, **options):
    task = TASK_KINDS["discretised"].model_validate({"kind": "discretised", **options})
    labels = np.asarray(labels, float)
    numbers = np.zeros(len(labels)) if numbers is None else np.asarray(numbers, float)
    return task.with_state(task.fit(labels, numbers, np.ones(len(labels)) if weights is None else weights))


FOUR = fitted([1, 2, 3, 4, 5, 6, 7, 100], buckets=4)


def test_thresholds_split_the_labels_evenly_and_buckets_have_their_means():
    np.testing.assert_allclose(FOUR.state["thresholds"], [[2, 4, 6]])
    np.testing.assert_allclose(FOUR.state["means"], [[1.5, 3.5, 5.5, 53.5]])


def test_the_score_is_the_expected_bucket_mean():
    above = np.array([[0.75, 0.5, 0.25], [1 - 1e-9, 0.5, 1e-9]])
    expected = [np.mean([1.5, 3.5, 5.5, 53.5]), np.mean([3.5, 5.5])]
    np.testing.assert_allclose(FOUR.score(tf.constant(logit(above))), expected, rtol=1e-6)


def test_the_loss_is_the_mean_cross_entropy_of_the_thresholds():
    above = np.array([[0.9, 0.5, 0.2]])
    found = [
        FOUR.losses(tf.constant([label], tf.float64), tf.constant(logit(above)))[0].numpy() for label in (2.0, 5.0)
    ]
    np.testing.assert_allclose(found[0], -np.log([0.1, 0.5, 0.8]).mean())
    np.testing.assert_allclose(found[1], -np.log([0.9, 0.5, 0.8]).mean())


def test_the_constant_loss_is_the_mean_entropy():
    shares = np.array([0.75, 0.5, 0.25])
    entropies = -shares * np.log(shares) - (1 - shares) * np.log(1 - shares)
    assert FOUR.constant_loss([0.0]) == pytest.approx(entropies.mean())
    labels = tf.constant([1, 2, 3, 4, 5, 6, 7, 100], tf.float64)
    best = tf.constant(np.tile(logit(shares), (8, 1)))
    assert np.mean(FOUR.losses(labels, best)) == pytest.approx(entropies.mean())
    assert np.mean(FOUR.losses(labels, 0 * best)) == pytest.approx(FOUR.untrained_loss([0.0], 0.5))


def test_shares_of_the_training_rows_score_their_weighted_mean():
    random = np.random.default_rng(0)
    labels, weights = random.exponential(size=500) * (random.uniform(size=500) < 0.6), random.uniform(1, 2, 500)
    task = fitted(labels, weights=weights, buckets=9, adapt=2.0)
    limits = task.state["thresholds"][0]
    above = np.average(labels.astype(np.float32)[:, None] > limits, axis=0, weights=weights)
    score = task.score(tf.constant(logit(np.clip(above, 1e-12, 1 - 1e-12))[None]))[0].numpy()
    assert score == pytest.approx(np.average(labels, weights=weights), rel=1e-5)


def test_adapted_levels_ascend_with_more_of_them_above():
    task = TASK_KINDS["discretised"].model_validate({"kind": "discretised", "buckets": 4, "adapt": 2.0})
    np.testing.assert_allclose(task.levels, (1 - np.exp([-0.5, -1.0, -1.5])) / (1 - np.exp(-2)))
    even = task.model_copy(update={"adapt": 1e-9})
    np.testing.assert_allclose(even.levels, [0.25, 0.5, 0.75], rtol=1e-6)


def test_groups_of_durations_have_their_own_thresholds():
    labels = np.tile(np.arange(200.0), 2) * np.repeat([1, 10], 200)
    task = fitted(labels, np.repeat([-1.0, 1.0], 200), duration="seconds", groups=2, buckets=2)
    np.testing.assert_allclose(task.state["thresholds"], [[99], [990]])
    np.testing.assert_allclose(task.state["means"], [[49.5, 149.5], [495, 1495]])
    np.testing.assert_allclose(task.score(tf.constant([[0.0, -1.0], [0.0, 1.0]])), [99.5, 995])
    certain = task.losses(tf.constant([100.0, 100.0]), tf.constant([[-30.0, -1.0], [-30.0, 1.0]]))
    np.testing.assert_allclose(certain, [30, 0], atol=1e-6)


def test_many_equal_labels_leave_thresholds_that_are_equal():
    task = fitted([0.0] * 90 + [*range(10)], buckets=8)
    assert (task.state["thresholds"][0] == 0).sum() == 7
    assert (np.diff(task.state["means"]) >= 0).all()
