import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import PLE
from ranker.layers import Sides
from tests.ranker.models import architecture

SIDES = Sides(tf.constant([[1.0]]), tf.constant([[1.0]]))


def constant(expert, value):
    for layer in expert.stack:
        for kernel in layer.kernels:
            kernel.assign(tf.zeros_like(kernel))
        layer.bias.assign([value])


def fixed(gate, logits):
    for kernel in gate.project.kernels:
        kernel.assign(tf.zeros_like(kernel))
    gate.project.bias.assign(logits)


def test_cgc_gates_its_own_and_the_shared_experts_only():
    net = architecture("ple", ["a", "b"], levels=1, shared_experts=1, task_experts=1, expert_units=(1,), towers=())
    net(SIDES)
    constant(net.trunk.shared[0], 10.0)
    for head, own in zip(net.heads, (1.0, 2.0), strict=True):
        constant(head.own[0], own)
        fixed(head.gate, [np.log(4.0), 0.0])  # own experts first: 4/5 and 1/5
        head.tower.output_layer.kernels[0].assign([[1.0]])
    np.testing.assert_allclose(net(SIDES), [[0.8 * 1 + 0.2 * 10, 0.8 * 2 + 0.2 * 10]], rtol=1e-6)


def test_the_shared_gate_sees_all_experts_of_its_level():
    net = architecture("ple", ["a", "b"], levels=2, shared_experts=1, task_experts=1, expert_units=(1,), towers=())
    net(SIDES)
    level = net.trunk.levels[0]
    for experts, value in zip([*level.own, level.shared], (1.0, 2.0, 6.0), strict=True):
        constant(experts[0], value)
    fixed(level.shared_gate, [0.0, 0.0, 0.0])
    for gate in level.gates:
        fixed(gate, [0.0, 0.0])
    first, second, shared = level([SIDES] * 3)
    np.testing.assert_allclose([first[0, 0], second[0, 0], shared[0, 0]], [3.5, 4.0, 3.0])


@pytest.mark.parametrize("levels", [1, 2, 4])
def test_any_number_of_levels(levels):
    net = architecture("ple", ["a", "b"], levels=levels)
    assert net(SIDES).shape == (1, 2)
    assert len(net.trunk.levels) == levels - 1


def test_no_level_is_refused():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        PLE.Options(levels=0)
