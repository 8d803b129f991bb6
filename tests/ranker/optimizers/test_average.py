import numpy as np
import pytest
import tensorflow as tf

from ranker.optimizers.average import WeightAverage
from ranker.optimizers.grouped import Group, GroupedOptimizer, averaged

SGD = tf.keras.optimizers.legacy.SGD


def walked(decay, steps):
    """An optimiser after steps of 1 upwards from 0, and its variable."""
    x, count = tf.Variable(0.0), tf.Variable(0, dtype=tf.int64)
    group = Group(SGD(1.0), [x], lambda: tf.constant(1.0))
    optimizer = GroupedOptimizer([group], count, WeightAverage([x], decay))
    step = tf.function(lambda: optimizer.apply_gradients([(tf.constant(-1.0), x)]), autograph=False)
    for _ in range(steps):
        step()
    return optimizer, x


def test_by_hand():
    """Shares kept: 1 / 10, 2 / 11, then the decay, .2 being below 3 / 12."""
    first = 0.9 * 1
    second = 2 / 11 * first + 9 / 11 * 2
    third = 0.2 * second + 0.8 * 3
    for steps, expected in ((1, first), (2, second), (3, third)):
        optimizer, _ = walked(0.2, steps)
        assert float(optimizer.average.averages[0]) == pytest.approx(expected)


def test_in_place_of_the_weights_for_a_while():
    optimizer, x = walked(0.9, 3)
    before, average = x.numpy(), optimizer.average.averages[0].numpy()
    with averaged(optimizer):
        assert x.numpy() == average != before
    assert x.numpy() == before
    assert optimizer.average.averages[0].numpy() == average


def test_without_an_average_nothing_changes():
    x = tf.Variable([1.0, 2.0])
    with averaged(SGD()):
        np.testing.assert_array_equal(x, [1.0, 2.0])


def test_a_decay_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0"):
        WeightAverage([], 1.0)
