import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logit

from ranker.tasks import TASK_KINDS
from ranker.tasks.quantile_of_duration import quantiles_of


def fitted(labels, numbers, weights=None, **options):
    config = {"kind": "quantile_of_duration", "duration": "seconds", **options}
    task = TASK_KINDS["quantile_of_duration"].model_validate(config)
    labels, numbers = np.asarray(labels, float), np.asarray(numbers, float)
    return task.with_state(task.fit(labels, numbers, np.ones(len(labels)) if weights is None else weights))


def scores(task, quantiles, number):
    logits = np.stack([logit(quantiles), np.full(len(quantiles), float(number))], axis=1)
    return task.score(tf.constant(logits)).numpy()


def quantiles(task, labels, number):
    """The targets of labels, from the loss's slope in the logit at 0: one half less the target."""
    logits = tf.constant([[0.0, float(number)]] * len(labels), tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = task.losses(tf.constant(labels, tf.float64), logits)
    return 0.5 - tape.gradient(losses, logits).numpy()[:, 0]


SHORT, LONG = np.linspace(0, 10, 401), np.linspace(0, 400, 401)
TWO = fitted([*SHORT, *LONG], [-1.0] * 401 + [2.0] * 401, groups=2, quantiles=4)


def test_quantiles_are_those_of_the_row_s_group():
    np.testing.assert_allclose(TWO.state["edges"], [2.0])
    np.testing.assert_allclose(TWO.state["values"], [[0, 2.5, 5, 7.5, 10], [0, 100, 200, 300, 400]])
    for number in (-9.0, -1.0, 1.99):
        np.testing.assert_allclose(quantiles(TWO, [0.0, 1.0, 5.0, 9.0, 70.0], number), [0, 0.1, 0.5, 0.9, 1], atol=1e-9)
    np.testing.assert_allclose(quantiles(TWO, [0.0, 50.0, 300.0], 2.0), [0, 0.125, 0.75], atol=1e-9)


def test_the_score_maps_the_quantile_back():
    levels = np.array([0.1, 0.25, 0.6, 0.99])
    np.testing.assert_allclose(scores(TWO, levels, -1.0), 10 * levels)
    np.testing.assert_allclose(scores(TWO, levels, 7.0), 400 * levels)
    extremes = tf.constant([[-1e4, 2.0], [1e4, 2.0], [1e4, -3.0]])
    np.testing.assert_allclose(TWO.score(extremes), [0, 400, 10])


def test_equal_labels_have_the_middle_of_their_levels():
    """Of 0, 0, 0, 1, 3 at the five levels, a 0 has a quarter and what lies below it 0."""
    values = np.array([0.0, 0.0, 0.0, 1.0, 3.0])
    np.testing.assert_allclose(
        quantiles_of(np.array([-1, 0, 0.5, 1, 2, 3, 4]), values), [0, 2, 5, 6, 7, 8, 8] / np.array(8)
    )
    task = fitted(np.repeat(values, 50), np.zeros(250), quantiles=4)
    expected = quantiles_of(np.array([0.0, 0.4, 1.0, 3.0]), task.state["values"][0].astype(float))
    np.testing.assert_allclose(quantiles(task, [0.0, 0.4, 1.0, 3.0], 0.0), expected, atol=1e-7)


def test_the_least_loss_is_at_the_mean_quantile():
    task = fitted(LONG, np.zeros(401), weights=np.linspace(0, 1, 401) + 1e-9, quantiles=50)
    mean = np.average(quantiles(task, LONG, 0.0), weights=np.linspace(0, 1, 401) + 1e-9)
    assert mean == pytest.approx(2 / 3, abs=2e-3)
    least = -mean * np.log(mean) - (1 - mean) * np.log(1 - mean)
    assert task.constant_loss([0.0]) == pytest.approx(least)
    assert task.untrained_loss([0.0], 0.5) == pytest.approx(np.log(2))


def test_groups_hold_at_least_100_rows_and_equal_numbers_share_one():
    assert len(fitted(np.arange(250.0), np.arange(250.0)).state["edges"]) == 1
    assert len(fitted(np.arange(99.0), np.arange(99.0)).state["edges"]) == 0
    mostly_0 = np.where(np.arange(1000) < 900, 0.0, np.arange(1000))
    task = fitted(np.arange(1000.0), mostly_0, groups=10)
    assert task.state["edges"].tolist() == [900.0]
    assert (np.diff(task.state["values"], axis=1) >= 0).all()


def test_a_duration_must_be_named():
    with pytest.raises(ValueError, match="duration"):
        TASK_KINDS["quantile_of_duration"].model_validate({"kind": "quantile_of_duration"})
