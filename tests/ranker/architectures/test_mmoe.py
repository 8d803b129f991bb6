import numpy as np
import tensorflow as tf

from ranker.layers import Sides
from tests.ranker.models import architecture


def test_each_task_mixes_the_experts_by_its_own_gate():
    net = architecture("mmoe", ["a", "b"], experts=2, expert_units=(1,), towers=())
    sides = Sides(tf.constant([[1.0]]), tf.constant([[1.0]]))
    net(sides)
    for expert, value in zip(net.trunk.experts, (3.0, 5.0), strict=True):
        dense = expert.stack[0]
        for kernel in dense.kernels:
            kernel.assign([[0.0]])
        dense.bias.assign([value])
    for head, logits in zip(net.heads, ([0.0, 0.0], [0.0, np.log(3.0)]), strict=True):
        for kernel in head.gate.project.kernels:
            kernel.assign(tf.zeros_like(kernel))
        head.gate.project.bias.assign(logits)
        head.tower.output_layer.kernels[0].assign([[1.0]])
    np.testing.assert_allclose(net(sides), [[(3 + 5) / 2, 3 / 4 + 3 * 5 / 4]], rtol=1e-6)
