import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures.soft_sharing import l2_distance, mean_distance
from tests.ranker.architectures.parts import SIDES
from tests.ranker.models import architecture

NETWORKS = [[tf.constant([1.0, 2.0]), tf.constant(0.0)], [tf.constant([3.0, 2.0]), tf.constant(6.0)]]


def test_distances_by_hand():
    assert float(l2_distance(NETWORKS)) == 4 + 36
    assert float(mean_distance(NETWORKS)) == 1 + 1 + 9 + 9
    assert float(l2_distance(NETWORKS[:1])) == 0


@pytest.mark.parametrize("regulariser", ["l2_distance", "mean_distance", "low_rank"])
def test_the_penalty_is_added_in_training_times_its_strength(regulariser):
    net = architecture("soft_sharing", ["a", "b"], regulariser=regulariser, strength=0.25)
    net.trunk(SIDES, training=True)
    (penalty,) = net.trunk.losses
    assert float(penalty) > 0
    np.testing.assert_allclose(penalty, 0.25 * net.trunk.penalty())


def test_low_rank_by_hand():
    net = architecture("soft_sharing", ["a"], layers=(1,), regulariser="low_rank", rank=1, towers=())
    net(SIDES)
    trunk = net.trunk
    for dense, values in ((trunk.shared[0], (2.0, 3.0)), (trunk.down[0][0], (1.0, 5.0)), (trunk.up[0][0], (0.5,))):
        for kernel, value in zip(dense.kernels, values, strict=True):
            kernel.assign([[value]])
    assert float(trunk(SIDES)[0][0, 0]) == (2 + 3) + (1 + 5) * 0.5
    assert float(trunk.penalty()) == 1 + 25 + 0.25


def test_equal_networks_cost_nothing():
    net = architecture("soft_sharing", ["a", "b"])
    net(SIDES)
    for layer in net.trunk.stack:
        layer[1].set_weights(layer[0].get_weights())
    assert float(net.trunk.penalty()) == 0
