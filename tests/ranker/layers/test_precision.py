"""Products in bfloat16: near those in float32, and nothing but products."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.layers import Sides, SplitDense, products_in
from ranker.layers.precision import NARROW, product
from ranker.weighting import MGDA, Static
from tests.ranker.models import batch_of, model_of

ROWS = tf.constant(np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32))
KERNEL = tf.constant(np.random.default_rng(1).normal(size=(32, 16)).astype(np.float32))


def test_a_product_is_that_of_rounded_factors():
    """1 + 2^-9 has one digit more than bfloat16's eight, and rounds to 1; 3 and 1 are exact."""
    with products_in("bfloat16"):
        rounded = product(tf.constant([[1 + 2.0**-9, 3.0]]), tf.ones([2, NARROW]))
    assert rounded.dtype == tf.float32
    np.testing.assert_array_equal(rounded, np.full([1, NARROW], 4.0))
    np.testing.assert_array_equal(
        product(tf.constant([[1 + 2.0**-9, 3.0]]), tf.ones([2, NARROW])), np.full([1, NARROW], 4 + 2.0**-9)
    )


def test_products_are_exact_outside_the_block_and_in_narrow_layers():
    exact = tf.matmul(ROWS, KERNEL)
    with products_in("bfloat16"):
        near = product(ROWS, KERNEL)
        np.testing.assert_array_equal(product(ROWS, KERNEL[:, : NARROW - 1]), tf.matmul(ROWS, KERNEL[:, : NARROW - 1]))
        with products_in("float32"):
            np.testing.assert_array_equal(product(ROWS, KERNEL), exact)
    np.testing.assert_array_equal(product(ROWS, KERNEL), exact)
    difference = np.abs(near - exact).max()
    assert 0 < difference < 0.02 * np.abs(exact).max()


def test_gradients_are_rounded_too_and_stay_float32():
    layer = SplitDense(16, "relu")
    sides = Sides(ROWS[:1], ROWS[:, :8])

    def gradients(precision):
        with products_in(precision), tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(sides) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    layer(sides)
    pairs = list(zip(gradients("bfloat16"), gradients("float32"), strict=True))
    for near, exact in pairs:
        assert near.dtype == exact.dtype == tf.float32
        assert np.linalg.norm(near - exact) < 0.02 * np.linalg.norm(exact)
    assert any((near.numpy() != exact.numpy()).any() for near, exact in pairs)


def wide(rows, weighting, precision):
    tf.keras.utils.set_random_seed(0)
    model = model_of(rows, "shared_bottom", weighting, bottom=(16, 16), towers=(16,))
    model.precision = precision
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.05))
    return model


def test_a_step_is_close_and_variables_losses_and_gramian_stay_float32(rows):
    batch = batch_of(rows)
    logs = {}
    for precision in ("bfloat16", "float32"):
        model = wide(rows, MGDA(), precision)
        logs[precision] = model.train_step(batch)
        assert {variable.dtype for variable in model.trainable_variables} == {tf.float32}
        assert {value.dtype for value in logs[precision].values()} == {tf.float32}
    for name, near in logs["bfloat16"].items():
        np.testing.assert_allclose(near, logs["float32"][name], rtol=0.05, atol=1e-4)
    assert (logs["bfloat16"]["gramian"].numpy() != logs["float32"]["gramian"].numpy()).any()


def test_scores_do_not_depend_on_the_precision_of_training(rows):
    batch = batch_of(rows)
    scores = [wide(rows, Static(), precision)(batch) for precision in ("bfloat16", "float32")]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_learns(rows, compiled):
    model, batch = wide(rows, Static(), "bfloat16"), batch_of(rows)
    before = np.sum(model.compute_loss(batch))
    step = tf.function(model.train_step, autograph=False) if compiled else model.train_step
    for _ in range(8):
        step(batch)
    assert np.sum(model.compute_loss(batch)) < 0.95 * before
