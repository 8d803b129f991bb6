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
