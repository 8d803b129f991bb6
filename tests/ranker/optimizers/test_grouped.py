import numpy as np
import pytest
import tensorflow as tf

from ranker.optimizers import OPTIMIZERS, learning_rate
from ranker.optimizers.grouped import Group, GroupedOptimizer, kept_apart

SGD = tf.keras.optimizers.legacy.SGD


def rate():
    return tf.constant(0.1)


def grouped(*groups):
    return GroupedOptimizer(groups, tf.Variable(0, dtype=tf.int64))


def test_each_group_moves_by_its_own():
    x, y = tf.Variable(1.0), tf.Variable(1.0)
    optimizer = grouped(Group(SGD(0.1), [x], rate), Group(SGD(0.5), [y], rate))
    optimizer.apply_gradients([(tf.constant(1.0), x), (tf.constant(1.0), y)])
    assert (float(x), float(y)) == pytest.approx((0.9, 0.5))
    assert kept_apart(optimizer) == kept_apart(SGD()) == []


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_without_a_gradient_variables_and_moments_stay_as_they_are(name):
    x, y, z = tf.Variable([[1.0, 2.0]]), tf.Variable([[3.0]]), tf.Variable([[4.0]])
    decay = 0.1 if OPTIMIZERS[name].weight_decay else 0.0
    groups = [Group(OPTIMIZERS[name].make(learning_rate=rate), v, rate, decay) for v in ([x, y], [z])]
    optimizer = grouped(*groups)
    everything = [(tf.ones_like(v), v) for v in (x, y, z)]
    optimizer.apply_gradients(everything)
    slots = [groups[0].optimizer.get_slot(y, slot) for slot in groups[0].optimizer.get_slot_names()]
    still = [y, z, *slots, *groups[1].optimizer.weights]
    before = [variable.numpy() for variable in still]
    at = x.numpy()
    for _ in range(3):
        optimizer.apply_gradients([(tf.ones_like(x), x), (None, y), (None, z)])
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(before, still, strict=True))
    assert not np.array_equal(at, x.numpy())


def test_learning_rates_follow_the_run_in_a_group_that_is_left_out():
    x, y = tf.Variable(0.0), tf.Variable(0.0)
    step = tf.Variable(0, dtype=tf.int64)
    falling = learning_rate(step, 1.0, "exponential", steps=2, final=0.25)
    optimizer = GroupedOptimizer([Group(SGD(falling), [v], falling) for v in (x, y)], step)
    for gradients in ([1.0, None], [1.0, None], [1.0, 1.0]):
        optimizer.apply_gradients(
            [(None if g is None else tf.constant(g), v) for g, v in zip(gradients, (x, y), strict=True)]
        )
    assert float(x) == pytest.approx(-1.75)
    assert float(y) == pytest.approx(-0.25)
    assert int(optimizer.iterations) == 3


def test_weight_decay_shrinks_matrices_beside_the_gradient_and_leaves_biases():
    """A gradient of 0 leaves Adam's own step at 0, so a matrix is multiplied by 1 - rate x decay."""
    kernel, bias = tf.Variable([[2.0, -4.0]]), tf.Variable([2.0])
    adam = tf.keras.optimizers.legacy.Adam(learning_rate=rate)
    optimizer = grouped(Group(adam, [kernel, bias], rate, weight_decay=0.5))
    optimizer.apply_gradients([(tf.zeros_like(kernel), kernel), (tf.zeros_like(bias), bias)])
    np.testing.assert_allclose(kernel.numpy(), [[1.9, -3.8]])
    np.testing.assert_array_equal(bias.numpy(), [2.0])


def test_weight_decay_equals_adamw():
    gradients = np.random.default_rng(0).normal(size=(6, 2, 3)).astype(np.float32)
    ours, theirs = tf.Variable(tf.ones([2, 3])), tf.Variable(tf.ones([2, 3]))
    optimizer = grouped(Group(tf.keras.optimizers.legacy.Adam(learning_rate=rate), [ours], rate, weight_decay=0.3))
    adamw = tf.keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.3, jit_compile=False)
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient), ours)])
        adamw.apply_gradients([(tf.constant(gradient), theirs)])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_the_norm_that_clips_a_table_is_that_of_its_rows_summed_gradients(repeats):
    """Rows 1 and 2 have gradients 3 and 4, so the norm is 5, in however many parts the first one comes."""
    table = tf.Variable(tf.zeros([4, 1]))
    optimizer = grouped(Group(SGD(0.1, clipnorm=1.0), [table], rate))
    values, indices = [[3.0 / repeats]] * repeats + [[4.0]], [1] * repeats + [2]
    optimizer.apply_gradients(
        [(tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([4, 1])), table)]
    )
    np.testing.assert_allclose(table.numpy()[:, 0], [0.0, -0.06, -0.08, 0.0], rtol=1e-6)
