import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from scipy.stats import lognorm

from ranker.tasks import TASK_KINDS
from ranker.tasks.ziln import LEAST_DEVIATION

LABELS = np.array([0.0, 0.0, 0.0, 2.0, 5.0, 90.0])
LOGITS = np.array(
    [[0.3, 0.5, -1.0], [-2.0, 0.0, 0.0], [1.0, -1.0, 2.0], [0.1, 0.2, 0.3], [3.0, 1.0, 1.0], [-1, -2, 2.0]]
)


def fitted(labels, weights=None):
    task = TASK_KINDS["ziln"].model_validate({"kind": "ziln"})
    return task.with_state(
        task.fit(labels, np.zeros(len(labels)), np.ones(len(labels)) if weights is None else weights)
    )


SPEND = fitted(LABELS)


def parameters(logits, labels=LABELS):
    """Probability, mean and deviation of the log, by the definition."""
    logs = np.log(labels[labels > 0])
    deviation = logs.std() * (np.log1p(np.exp(logits[:, 2])) + LEAST_DEVIATION)
    return expit(logits[:, 0]), logs.mean() + logs.std() * logits[:, 1], deviation


def test_the_state_is_that_of_the_logs_of_positive_labels():
    logs = np.log([2, 5, 90])
    np.testing.assert_allclose(SPEND.state["mean"], logs.mean())
    np.testing.assert_allclose(SPEND.state["deviation"], logs.std())
    weighted = fitted(LABELS, np.array([1, 1, 1, 3, 1, 2.0]))
    np.testing.assert_allclose(weighted.state["mean"], np.log([2, 2, 2, 5, 90, 90]).mean())


def test_the_loss_is_the_negative_log_likelihood_but_for_terms_of_the_label():
    """Of two sets of logits, the losses differ as the likelihoods do."""

    def likelihood(logits):
        chance, mean, deviation = parameters(logits)
        density = lognorm.pdf(np.where(LABELS > 0, LABELS, 1.0), deviation, scale=np.exp(mean))
        return np.where(LABELS > 0, chance * density, 1 - chance)

    losses = [SPEND.losses(tf.constant(LABELS), tf.constant(logits)).numpy() for logits in (LOGITS, LOGITS[::-1])]
    expected = np.log(likelihood(LOGITS)) - np.log(likelihood(LOGITS[::-1]))
    np.testing.assert_allclose(losses[1] - losses[0], expected, rtol=1e-8)


def test_one_row_by_hand():
    """A label at the mean, of a deviation of 2 units: log 2 for being positive, and log(2 / 0.1)."""
    logit = np.log(np.expm1(2.0 - LEAST_DEVIATION))
    label = np.exp(np.log([2, 5, 90]).mean())
    loss = SPEND.losses(tf.constant([label, 0.0]), tf.constant([[0.0, 0.0, logit]] * 2, tf.float64))
    np.testing.assert_allclose(loss, [np.log(2) + np.log(20), np.log(2)])


def test_the_score_is_the_expected_value():
    chance, mean, deviation = parameters(LOGITS)
    expected = chance * np.minimum(np.exp(mean + deviation**2 / 2), 90.0)
    np.testing.assert_allclose(SPEND.score(tf.constant(LOGITS)), expected, rtol=1e-8)


def test_the_expected_positive_label_is_at_most_the_largest_one():
    score = SPEND.score(tf.constant([[0.0, 1e30, 1e30], [0.0, 1.0, 50.0]]))
    np.testing.assert_allclose(score, [45.0, 45.0], rtol=1e-6)


@pytest.mark.parametrize("unit", [1e-6, 100.0, 1e9])
def test_losses_do_not_depend_on_the_unit(unit):
    other = fitted(LABELS * unit)
    for task, labels in ((SPEND, LABELS), (other, LABELS * unit)):
        np.testing.assert_allclose(
            task.losses(tf.constant(labels), tf.constant(LOGITS)),
            SPEND.losses(tf.constant(LABELS), tf.constant(LOGITS)),
            rtol=1e-6,
        )
    np.testing.assert_allclose(other.score(tf.constant(LOGITS)), unit * SPEND.score(tf.constant(LOGITS)), rtol=1e-6)


def means():
    return SPEND.moments(tf.constant(LABELS)).numpy().mean(axis=0).tolist()


def test_the_untrained_loss_is_that_of_logits_of_0():
    losses = SPEND.losses(tf.constant(LABELS), tf.zeros([6, 3], tf.float64))
    assert SPEND.untrained_loss(means(), 0.5) == pytest.approx(np.mean(losses))


def test_the_constant_loss_is_the_least():
    """One half of the labels is positive; standardised, their logs have mean 0 and deviation 1."""
    best = np.tile([0.0, 0.0, np.log(np.expm1(1 - LEAST_DEVIATION))], (6, 1))
    losses = SPEND.losses(tf.constant(LABELS), tf.constant(best))
    assert SPEND.constant_loss(means()) == pytest.approx(np.mean(losses))
    assert SPEND.constant_loss(means()) == pytest.approx(np.log(2) + 0.5 * (np.log(10) + 0.5))
    for step in np.eye(3) * 0.1:
        for moved in (best + step, best - step):
            assert np.mean(SPEND.losses(tf.constant(LABELS), tf.constant(moved))) > SPEND.constant_loss(means())


@pytest.mark.parametrize("first", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("second", [-1e20, 0.0, 1e4])
@pytest.mark.parametrize("third", [-1e4, 0.0, 1e20])
def test_logits_of_any_size_have_finite_losses_and_gradients(first, second, third):
    logits = tf.Variable([[first, second, third]] * 6)
    with tf.GradientTape() as tape:
        losses = SPEND.losses(tf.constant(LABELS, tf.float32), logits)
    assert np.isfinite(losses).all()
    assert np.min(losses) >= 0
    assert np.isfinite(tape.gradient(losses, logits)).all()
    assert (SPEND.score(logits).numpy() >= 0).all()


def test_labels_are_at_least_0_and_some_are_above():
    assert SPEND.allowed(np.array([-1e-9, 0.0, 3.0])).tolist() == [False, True, True]
    assert SPEND.nothing_to_learn(10, 0) == "no label is above 0"
