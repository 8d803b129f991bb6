import numpy as np
import tensorflow as tf

from ranker.architectures.cross_stitch import CrossStitchUnit
from tests.ranker.architectures.parts import SIDES, constant, ones
from tests.ranker.models import architecture


def test_a_known_matrix():
    unit = CrossStitchUnit(2, own=0.9, name="unit")
    unit.alpha.assign([[0.5, 2.0], [0.0, -1.0]])
    first, second = unit([tf.constant([[1.0, 2.0]]), tf.constant([[10.0, 20.0]])])
    np.testing.assert_allclose(first, [[20.5, 41]])
    np.testing.assert_allclose(second, [[-10, -20]])


def test_it_starts_near_the_identity_and_sums_to_one():
    np.testing.assert_allclose(CrossStitchUnit(3, own=0.8, name="u").alpha, np.full((3, 3), 0.1) + 0.7 * np.eye(3))
    np.testing.assert_allclose(CrossStitchUnit(1, own=0.8, name="u").alpha, [[1.0]])


def test_networks_stitched_by_hand():
    net = architecture("cross_stitch", ["a", "b"], layers=(1,), towers=(), own=0.75)
    net(SIDES)
    for dense, value in zip(net.trunk.stack[0], (4.0, 8.0), strict=True):
        constant(dense, value)
    for head in net.heads:
        ones(head.tower.output_layer)
    np.testing.assert_allclose(net(SIDES), [[5, 7]])


def test_the_identity_keeps_networks_apart():
    net = architecture("cross_stitch", ["a", "b"], own=1.0, activation="tanh")
    before = net(SIDES).numpy()
    for layer in net.trunk.stack:
        layer[1].bias.assign(tf.ones_like(layer[1].bias))
    after = net(SIDES).numpy()
    assert after[0, 0] == before[0, 0]
    assert after[0, 1] != before[0, 1]
