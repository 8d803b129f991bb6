import numpy as np
import tensorflow as tf

from ranker.layers import Sides
from tests.ranker.models import architecture


def test_networks_share_nothing_but_their_inputs():
    net = architecture("esmm", ["click", "buy"], activation="tanh")
    sides = Sides(tf.ones([1, 2]), tf.ones([3, 2]))
    before = net(sides).numpy()
    assert net.trunk.trainable_variables == []
    for variable in net.heads[1].trainable_variables:
        variable.assign_add(tf.ones_like(variable))
    after = net(sides).numpy()
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert not np.allclose(after[:, 1], before[:, 1])


def test_own_embeddings_are_read_by_their_task_alone():
    net = architecture("independent", ["click", "buy"], embeddings="own", activation="tanh")
    sides = [Sides(tf.ones([1, 2]), tf.ones([3, 2])), Sides(tf.ones([1, 2]), tf.zeros([3, 2]))]
    before = net(sides).numpy()
    after = net([sides[0], Sides(tf.zeros([1, 2]), tf.ones([3, 2]))]).numpy()
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    assert not np.allclose(after[:, 1], before[:, 1])
