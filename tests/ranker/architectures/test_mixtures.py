"""OMoE and ML-MMoE by hand; MMoE and PLE have files of their own."""

import numpy as np
import tensorflow as tf

from ranker.layers import Sides
from tests.ranker.architectures.parts import SIDES, constant, ones
from tests.ranker.models import architecture


def test_one_gate_mixes_for_all_tasks():
    net = architecture("omoe", ["a", "b"], experts=2, expert_units=(1,), towers=())
    net(SIDES)
    for expert, value in zip(net.trunk.experts, (3.0, 5.0), strict=True):
        constant(expert.stack[0], value)
    constant(net.trunk.gate.project, 0.0, np.log(3.0))
    for head in net.heads:
        ones(head.tower.output_layer)
    np.testing.assert_allclose(net(SIDES), [[3 / 4 + 15 / 4] * 2], rtol=1e-6)


def test_an_expert_of_the_second_level_mixes_the_first_by_its_own_gate():
    net = architecture("ml_mmoe", ["a"], levels=2, experts=2, expert_units=(1,), towers=())
    net(SIDES)
    for expert, value in zip(net.trunk.levels[0], (2.0, 6.0), strict=True):
        constant(expert.stack[0], value)
    for gate, logit in zip(net.trunk.gates[0], (0.0, np.log(3.0)), strict=True):
        constant(gate.project, 0.0, logit)
    for expert in net.trunk.levels[1]:
        ones(expert.stack[0])
    constant(net.heads[0].gate.project, np.log(4.0), 0.0)
    ones(net.heads[0].tower.output_layer)
    # level 2 sees (2 + 6) / 2 = 4 and 2/4 + 3 * 6/4 = 5; the task takes 4/5 and 1/5 of them
    np.testing.assert_allclose(net(SIDES), [[0.8 * 4 + 0.2 * 5]], rtol=1e-6)


def test_one_level_is_mmoe():
    tf.keras.utils.set_random_seed(3)
    first = architecture("ml_mmoe", ["a", "b"], levels=1, experts=3)
    first(SIDES)
    second = architecture("mmoe", ["a", "b"], experts=3)
    second(SIDES)
    second.set_weights(first.get_weights())
    sides = Sides(tf.constant([[0.5]]), tf.constant([[1.0], [-2.0]]))
    np.testing.assert_array_equal(first(sides), second(sides))
