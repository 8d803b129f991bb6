import numpy as np
import pytest
import tensorflow as tf

from ranker.losses import TaskLosses
from ranker.schema import Binary, Regression


def losses(task, labels, logits, weights):
    labels, weights = (tf.constant(x, tf.float32)[:, None] for x in (labels, weights))
    return float(TaskLosses([task])(labels, [tf.constant(logits, tf.float32)], weights)[0])


def test_cross_entropy_is_the_mean_over_labelled_rows():
    got = losses(Binary(kind="binary"), [1, 0, 1], [0.0, np.log(3.0), 9.0], [1, 1, 0])
    assert got == pytest.approx((np.log(2) + np.log(4)) / 2, rel=1e-6)


def test_a_task_without_labels_costs_nothing():
    assert losses(Binary(kind="binary"), [0, 0], [1.0, 2.0], [0, 0]) == 0


def test_squared_error():
    assert losses(Regression(kind="regression"), [1, 5], [3.0, 4.0], [1, 1]) == pytest.approx((4 + 1) / 2)


def test_huber_of_the_logarithm():
    task = Regression(kind="regression", transform="log1p", loss="huber", huber_delta=1.0)
    small, large = np.log1p(3.0) - 1.0, np.log1p(99.0) - 1.0
    assert losses(task, [3, 99], [1.0, 1.0], [1, 1]) == pytest.approx((small**2 / 2 + large - 0.5) / 2, rel=1e-5)
