import numpy as np
import tensorflow as tf

from ranker.losses import TaskErrors
from ranker.schema import Binary, Regression


def errors(task, labels, logits):
    return TaskErrors([task])(tf.constant(labels, tf.float32)[:, None], tf.constant(logits, tf.float32), task=0)


def test_cross_entropy():
    got = errors(Binary(kind="binary"), [1, 0, 1], [0.0, np.log(3.0), 9.0])
    np.testing.assert_allclose(got, [np.log(2), np.log(4), np.log1p(np.exp(-9))], rtol=1e-5)


def test_squared_error():
    np.testing.assert_allclose(errors(Regression(kind="regression"), [1, 5], [3.0, 4.0]), [4, 1])


def test_huber_of_the_logarithm():
    task = Regression(kind="regression", transform="log1p", loss="huber", huber_delta=1.0)
    small, large = np.log1p(3.0) - 1.0, np.log1p(99.0) - 1.0
    np.testing.assert_allclose(errors(task, [3, 99], [1.0, 1.0]), [small**2 / 2, large - 0.5], rtol=1e-5)


def watch(**options):
    return Regression(kind="regression", loss="weighted_logistic", **options)


def weighted(task, labels):
    labels = tf.constant(labels, tf.float32)[:, None]
    return TaskErrors([task]).row_weights(labels, tf.ones_like(labels))[:, 0]


def test_weighted_logistic_by_hand():
    labels, z = [0.0, 3.0], np.log(2.0)
    every, zeros = watch(), watch(negatives="zeros")
    # Odds of 2: a positive costs log(3 / 2), a negative log 3; rows are means over their own positives and negatives.
    np.testing.assert_allclose(errors(every, labels, [z, z]), [np.log(3), (3 * np.log(1.5) + np.log(3)) / 4], rtol=1e-5)
    np.testing.assert_allclose(errors(zeros, labels, [z, z]), [np.log(3), np.log(1.5)], rtol=1e-5)
    np.testing.assert_allclose(weighted(every, labels), [1, 4])
    np.testing.assert_allclose(weighted(zeros, labels), [1, 3])


def test_the_odds_of_least_loss_are_the_mean_label():
    labels = np.array([0.0, 0, 0, 2, 30, 4])
    for task, odds in ((watch(), labels.mean()), (watch(negatives="zeros"), labels.mean() / np.mean(labels == 0))):
        z = tf.Variable(np.float32(np.log(odds)))
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(errors(task, labels, z * tf.ones(6)) * weighted(task, labels))
        np.testing.assert_allclose(tape.gradient(loss, z), 0, atol=1e-4)


def test_weights_are_what_is_known_where_no_row_counts_otherwise():
    known = tf.constant([[1.0, 0.0], [0.0, 1.0]])
    tasks = [Binary(kind="binary"), Regression(kind="regression")]
    assert TaskErrors(tasks).row_weights(tf.ones([2, 2]), known) is known
    both = TaskErrors([Binary(kind="binary"), watch()]).row_weights(tf.constant([[1.0, 0.0], [1.0, 9.0]]), known)
    np.testing.assert_array_equal(both, [[1, 0], [0, 10]])
