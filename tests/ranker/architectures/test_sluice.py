import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.layers import Sides
from tests.ranker.architectures.parts import SIDES, constant, ones
from tests.ranker.models import architecture


def test_orthogonality_by_hand():
    net = architecture("sluice", ["a"], layers=1, units=2, subspaces=2, orthogonality=0.5)
    sides = Sides(tf.ones([1, 2]), tf.ones([1, 1]))
    net(sides)
    first, second = net.trunk.stack[0][0]
    for dense, kernels in ((first, ([[1.0], [2.0]], [[3.0]])), (second, ([[4.0], [5.0]], [[-1.0]]))):
        for kernel, value in zip(dense.kernels, kernels, strict=True):
            kernel.assign(value)
    assert float(net.trunk.overlap()) == (4 + 10 - 3) ** 2
    net.trunk(sides, training=True)
    np.testing.assert_allclose(net.trunk.losses, [0.5 * 121])
    second.kernels[1].assign([[-14 / 3]])
    assert float(net.trunk.overlap()) == pytest.approx(0, abs=1e-9)


def test_subspaces_and_layers_are_mixed_by_alpha_and_beta():
    net = architecture("sluice", ["a", "b"], layers=2, units=2, subspaces=2, towers=(), own=1.0)
    net(SIDES)
    for layer, base in zip(net.trunk.stack, (1.0, 10.0), strict=True):
        for task, values in zip(layer, ((1, 2), (3, 4)), strict=True):
            for dense, value in zip(task, values, strict=True):
                constant(dense, base * value)
    net.trunk.stitches[1].alpha.assign([[0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 2]])
    for head, beta in zip(net.heads, ([1.0, 0.5], [0.0, 1.0]), strict=True):
        head.beta.assign(beta)
        ones(head.tower.output_layer)
    # layer 1: a (1, 2), b (3, 4); layer 2 mixed: a (30, 20), b (30, 80)
    np.testing.assert_allclose(net(SIDES), [[3 + 0.5 * 50, 110]])


def test_units_must_divide_into_subspaces():
    with pytest.raises(ValueError, match=r"multiple of subspaces \(3\), got 128"):
        ARCHITECTURES["sluice"].Options(subspaces=3)
