import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError
from scipy.special import log_softmax, softmax

from ranker.tasks import TASK_KINDS


def made(**options):
    return TASK_KINDS["multiclass"].model_validate({"kind": "multiclass", **options})


EXIT = made(classes=[3, 7, 5], values=[0, 10, 4])
LOGITS = np.array([[0.4, -1.0], [-3.0, 2.0], [12.0, 0.5]])
WHOLE = np.concatenate([np.zeros((3, 1)), LOGITS], axis=1)


def test_the_loss_is_the_negative_log_likelihood_of_a_softmax():
    found = EXIT.losses(tf.constant([7.0, 3.0, 5.0], tf.float64), tf.constant(LOGITS))
    np.testing.assert_allclose(found, -log_softmax(WHOLE, axis=1)[[0, 1, 2], [1, 0, 2]])


def test_the_score_is_the_expected_value_or_the_probability_of_the_positive_classes():
    probabilities = softmax(WHOLE, axis=1)
    np.testing.assert_allclose(EXIT.score(tf.constant(LOGITS)), probabilities @ [0, 10, 4])
    chance = made(classes=3, positive=[0, 2]).score(tf.constant(LOGITS))
    np.testing.assert_allclose(chance, probabilities[:, [0, 2]].sum(axis=1))


def test_one_row_by_hand():
    """Logits 0, log 2 and 0: a quarter, one half and a quarter."""
    logits = tf.constant([[np.log(2), 0.0]], tf.float64)
    np.testing.assert_allclose(EXIT.probabilities(logits), [[0.25, 0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(EXIT.score(logits), [0.5 * 10 + 0.25 * 4], rtol=1e-6)
    np.testing.assert_allclose(EXIT.losses(tf.constant([5.0], tf.float64), logits), [np.log(4)], rtol=1e-6)


def test_prior_and_untrained_losses_are_entropy_and_log_k():
    shares = [0.5, 0.3, 0.2]
    assert EXIT.constant_loss(shares) == pytest.approx(-np.dot(shares, np.log(shares)))
    assert EXIT.untrained_loss(shares, 0.5) == pytest.approx(np.log(3))
    labels = tf.constant(np.repeat([3.0, 7.0, 5.0], [5, 3, 2]))
    np.testing.assert_allclose(EXIT.moments(labels).numpy().mean(axis=0), shares)
    best = np.tile(np.log([0.3 / 0.5, 0.2 / 0.5]), (10, 1))
    assert np.mean(EXIT.losses(labels, tf.constant(best))) == pytest.approx(EXIT.constant_loss(shares))


def test_the_outcome_of_a_label_is_its_class_s_value():
    for labels in (np.array([3.0, 7.0, 5.0, 0.0]), np.array([3, 7, 5, 0], np.float32)):
        np.testing.assert_array_equal(EXIT.outcome(labels), [0, 10, 4, 0])
    np.testing.assert_array_equal(EXIT.outcome(tf.constant([5.0, 7.0])), [4, 10])
    np.testing.assert_array_equal(made(classes=3, positive=[0]).outcome(np.array([0.0, 2.0])), [1, 0])


def test_two_classes_are_a_logistic_regression():
    pair, binary = made(classes=2, positive=[1]), TASK_KINDS["binary"].model_validate({"kind": "binary"})
    labels, logits = tf.constant([1.0, 0.0]), tf.constant([[0.3], [-2.0]])
    np.testing.assert_allclose(pair.losses(labels, logits), binary.losses(labels, logits), rtol=1e-6)
    np.testing.assert_allclose(pair.score(logits), binary.score(logits), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1, "positive": [0]}, "must be 2 to 100, got 1"),
        ({"classes": [1, 1], "positive": [1]}, "must be different numbers"),
        ({"classes": [1, 1e39], "positive": [1]}, "must be different numbers"),
        ({"classes": 3}, "set positive, .* or values"),
        ({"classes": 3, "positive": [1], "values": [1, 2, 3]}, "one of the two"),
        ({"classes": 3, "values": [1, 2]}, "2 for 3 classes"),
        ({"classes": 3, "positive": [3]}, "3 is not one of the classes 0, 1, 2"),
        ({"classes": 2, "positive": [0, 1]}, "all classes have the same value"),
        ({"classes": 3, "values": [0, 1, 1e39]}, "values: must be finite in single precision"),
        ({"classes": ["a", "b"], "positive": ["a"]}, "valid number"),
    ],
)
def test_classes_and_values_must_fit(options, message):
    with pytest.raises(ValidationError, match=message):
        made(**options)


@pytest.mark.parametrize("size", [-1e4, 0.0, 1e4, 1e30])
def test_logits_of_any_size_have_finite_losses_and_gradients(size):
    logits = tf.Variable([[size, -size], [size, size], [-size, 0.0]])
    with tf.GradientTape() as tape:
        losses = EXIT.losses(tf.constant([3.0, 7.0, 5.0]), logits)
    assert np.isfinite(losses).all()
    assert np.min(losses) >= 0
    assert np.isfinite(tape.gradient(losses, logits)).all()
