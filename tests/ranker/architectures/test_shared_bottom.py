import numpy as np
import tensorflow as tf

from ranker.layers import Sides
from tests.ranker.models import architecture


def test_by_hand():
    net = architecture("shared_bottom", ["a", "b"], bottom=(1,), towers=())
    sides = Sides(tf.constant([[2.0]]), tf.constant([[3.0], [-5.0]]))
    net(sides)
    dense = net.trunk.bottom.stack[0]
    dense.kernels[0].assign([[1.0]])
    dense.kernels[1].assign([[2.0]])
    dense.bias.assign([0.5])
    for head, kernel in zip(net.heads, (1.0, -1.0), strict=True):
        head.tower.output_layer.kernels[0].assign([[kernel]])
        head.tower.output_layer.bias.assign([0.25])
    # relu(2 + 0.5 + 6) = 8.5; relu(2 + 0.5 - 10) = 0
    np.testing.assert_allclose(net(sides), [[8.75, -8.25], [0.25, 0.25]])
