import numpy as np
import pytest
import tensorflow as tf

from ranker.layers import Sides, SplitDense
from ranker.layers.split_dense import together

RANDOM = np.random.default_rng(0)
CONTEXT, CANDIDATE = (tf.constant(RANDOM.normal(size=s).astype(np.float32)) for s in ((1, 3), (5, 2)))


def test_it_equals_a_dense_layer_over_both_sides():
    layer = SplitDense(4, "tanh")
    got = layer(Sides(CONTEXT, CANDIDATE))
    joined = np.concatenate([np.repeat(CONTEXT, 5, axis=0), CANDIDATE], axis=1)
    kernel = np.concatenate([k.numpy() for k in layer.kernels])
    np.testing.assert_allclose(got, np.tanh(joined @ kernel + layer.bias.numpy()), rtol=1e-5, atol=1e-6)


def test_a_side_without_columns_has_no_effect():
    layer = SplitDense(4)
    got = layer(Sides(tf.zeros([1, 0]), CANDIDATE))
    assert len(layer.kernels) == 1
    np.testing.assert_allclose(got, CANDIDATE.numpy() @ layer.kernels[0].numpy(), rtol=1e-5)


def test_together_equals_one_by_one():
    layers = [SplitDense(units) for units in (2, 3, 1)]
    sides = Sides(CONTEXT, CANDIDATE)
    joint = together(layers, sides)
    for layer, output in zip(layers, joint, strict=True):
        layer.bias.assign(tf.random.stateless_normal(layer.bias.shape, [1, 2]))
        np.testing.assert_allclose(output + layer.bias, layer(sides), atol=1e-5)


def test_zero_units_are_rejected():
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        SplitDense(0)
