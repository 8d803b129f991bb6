import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from scipy.special import expit

from ranker.tasks import TASK_KINDS
from ranker.tasks.ordinal import LEAST_GAP

RATING = TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": [1, 2, 4]})
LOGITS = np.array([[0.4, -1.0], [-3.0, 2.0], [12.0, 0.5]])
FIRST, FURTHER = np.log(2), np.log(np.expm1(2 * np.log(2) - LEAST_GAP))
"""Added to the two logits: of three equally likely levels, the odds of more than the first are 2, of the third 1/2."""


def probabilities(logits):
    """Of the three levels [N, 3], by the definition."""
    first = logits[:, 0] + FIRST
    second = first - np.log1p(np.exp(logits[:, 1] + FURTHER)) - LEAST_GAP
    above = expit(np.stack([first, second], axis=1))
    return np.stack([1 - above[:, 0], above[:, 0] - above[:, 1], above[:, 1]], axis=1)


def test_the_loss_is_the_negative_log_likelihood():
    expected = -np.log(probabilities(LOGITS)[[0, 1, 2], [1, 0, 2]])
    found = RATING.losses(tf.constant([2.0, 1.0, 4.0], tf.float64), tf.constant(LOGITS))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_one_row_by_hand():
    """Cumulative logits 0 and -log 3: one half, one quarter and one quarter."""
    logits = np.array([[0.0 - FIRST, np.log(np.expm1(np.log(3) - LEAST_GAP)) - FURTHER]])
    np.testing.assert_allclose(RATING.score(tf.constant(logits)), [0.5 * 1 + 0.25 * 2 + 0.25 * 4])
    losses = [RATING.losses(tf.constant([label], tf.float64), tf.constant(logits))[0] for label in (1.0, 2.0, 4.0)]
    np.testing.assert_allclose(losses, np.log([2, 4, 4]))


def test_the_score_is_the_expected_level():
    np.testing.assert_allclose(RATING.score(tf.constant(LOGITS)), probabilities(LOGITS) @ [1, 2, 4], rtol=1e-8)


def test_a_number_between_levels_counts_as_both():
    labels, logits = tf.constant([1.25, 3.0, 9.0], tf.float64), tf.constant(LOGITS)
    of_levels = [RATING.losses(tf.fill([3], tf.constant(level, tf.float64)), logits).numpy() for level in (1, 2, 4)]
    low, mid, high = np.stack(of_levels).T
    expected = [low @ [0.75, 0.25, 0], mid @ [0, 0.5, 0.5], high @ [0, 0, 1]]
    np.testing.assert_allclose(RATING.losses(labels, logits), expected, rtol=1e-8)


def test_the_untrained_loss_is_that_of_logits_of_0():
    labels = np.repeat([1.0, 2.0, 4.0], [5, 3, 2])
    losses = RATING.losses(tf.constant(labels), tf.zeros([10, 2], tf.float64))
    assert RATING.untrained_loss([0.5, 0.3, 0.2], 0.5) == pytest.approx(np.mean(losses))


def test_all_levels_are_equally_likely_before_training():
    many = TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": range(1, 21)})
    losses = many.losses(tf.constant(many.levels, tf.float32), tf.zeros([20, 19]))
    np.testing.assert_allclose(losses, np.log(20), rtol=1e-4)
    np.testing.assert_allclose(many.score(tf.zeros([1, 19])), [10.5], rtol=1e-4)


def test_the_constant_loss_is_the_least():
    shares = np.array([0.5, 0.3, 0.2])
    above = 1 - np.cumsum(shares)[:2]
    first, second = np.log(above / (1 - above))
    logits = np.array([[first - FIRST, np.log(np.expm1(first - second - LEAST_GAP)) - FURTHER]])
    losses = [RATING.losses(tf.constant([label], tf.float64), tf.constant(logits))[0] for label in (1.0, 2.0, 4.0)]
    assert RATING.constant_loss(shares.tolist()) == pytest.approx(shares @ losses)


def test_two_levels_are_a_logistic_regression():
    pair = TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": [0, 1]})
    logits, labels = tf.constant([[0.3], [-2.0]]), tf.constant([1.0, 0.0])
    np.testing.assert_allclose(pair.score(logits), expit([0.3, -2.0]), rtol=1e-6)
    np.testing.assert_allclose(pair.losses(labels, logits), -np.log([expit(0.3), expit(2.0)]), rtol=1e-6)


def test_levels_ascend():
    for levels in ([1, 1, 2], [3, 2]):
        with pytest.raises(ValidationError, match="must ascend, each level once"):
            TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": levels})


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ([0, 1e39], r"at most 3.4e38 in size, as single precision holds, and 1e\+39 is not"),
        ([1, 1.000000001], "must differ in single precision, and 1.0 and 1.000000001 do not"),
    ],
)
def test_levels_are_told_apart_in_single_precision(levels, message):
    with pytest.raises(ValidationError, match=message):
        TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": levels})


def test_a_level_of_single_precision_is_one():
    task = TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": [0.1, 0.3, 1000001]})
    labels = np.array([0.1, np.float32(0.1), 3 * 0.1, 0.2, 1000001, 1000002, 1e300])
    assert task.allowed(labels).tolist() == [True, True, True, False, True, False, False]
    assert task.expects == "one of the levels 0.1, 0.3, 1000001"


@pytest.mark.parametrize("levels", [[-1.5, 0, 1e6], list(range(20))])
@pytest.mark.parametrize("first", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("further", [-1e4, 0.0, 1e4])
def test_logits_of_any_size_have_finite_losses_and_gradients(levels, first, further):
    task = TASK_KINDS["ordinal"].model_validate({"kind": "ordinal", "levels": levels})
    logits = tf.Variable([[first, *[further] * (task.logits - 1)]] * len(levels))
    with tf.GradientTape() as tape:
        losses = task.losses(tf.constant(levels, tf.float32), logits)
    assert np.isfinite(losses).all()
    assert np.min(losses) >= 0
    assert np.isfinite(tape.gradient(losses, logits)).all()
    assert np.min(task.score(logits)) >= levels[0]
    assert np.max(task.score(logits)) <= levels[-1]
