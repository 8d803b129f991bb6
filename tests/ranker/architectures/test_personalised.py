"""PEPNet, STEM and HoME: what is particular to each."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.architectures.home import NormalisedExpert
from ranker.architectures.pepnet import ScaleGate
from ranker.encoding.layout import LayoutBuilder
from ranker.layers import Sides, watching
from ranker.schema import Schema
from tests.ranker.architectures.parts import SIDES, constant, logit
from tests.ranker.models import architecture, inputs_of


def layout():
    builder = LayoutBuilder()
    for name, side in (("user", "context"), ("scenario", "context"), ("author", "candidate"), ("item", "candidate")):
        builder.table(name, 3, 2)
        builder.ids(side, name, name)
    return builder.build()


def test_a_scale_gate_lies_in_0_to_2_and_starts_at_1_without_inputs():
    gate = ScaleGate(3, 2, "relu", name="gate")
    np.testing.assert_allclose(gate(tf.zeros([1, 4])), [[1.0, 1.0]])
    constant(gate.scale, -100.0, 100.0)
    np.testing.assert_allclose(gate(tf.ones([1, 4])), [[0.0, 2.0]], atol=1e-6)


def test_embedding_gates_scale_each_side_by_hand():
    net = architecture("pepnet", ["a"])
    sides = Sides(tf.constant([[3.0]]), tf.constant([[5.0], [7.0]]))
    net(sides)
    for gate, value in zip(net.trunk.gates, (0.0, np.log(3.0)), strict=True):
        constant(gate.scale, value)
    context, candidate, *priors = net.trunk(sides)
    np.testing.assert_allclose(context, [[3.0]])
    np.testing.assert_allclose(candidate, [[7.5], [10.5]], rtol=1e-6)
    np.testing.assert_array_equal(priors[1], sides.candidate)


def test_priors_are_looked_up_by_name():
    kind = ARCHITECTURES["pepnet"]
    options = kind.Options(domain=("scenario",), personal=("user", "author"))
    net = kind.of_layout(["a"], options, layout())
    sides = Sides(tf.constant([[1.0, 2, 3, 4]]), tf.constant([[5.0, 6, 7, 8]]))
    shared = net.trunk(sides)
    np.testing.assert_array_equal(shared[2], [[1, 2]])
    np.testing.assert_array_equal(shared[3], [[5, 6]])
    assert net(sides).shape == (1, 1)


def test_a_prior_that_is_no_feature_is_refused():
    features = {"context": {"scenario": {"kind": "categorical"}}, "candidate": {"item": {"kind": "categorical"}}}
    schema = Schema.model_validate({**features, "tasks": {"click": {"kind": "binary"}}})
    with pytest.raises(ValueError, match=r"domain: 'scenery' is not a feature; did you mean 'scenario'\?"):
        ARCHITECTURES["pepnet"].Options(domain=("scenery",)).check(schema)


def test_gates_change_no_gradient_of_what_they_only_look_at():
    kind = ARCHITECTURES["pepnet"]
    net = kind.of_layout(["a"], kind.Options(domain=("scenario",), personal=("user",)), layout())
    context = tf.constant([[1.0, 2, 3, 4]])
    with tf.GradientTape() as tape:
        tape.watch(context)
        gate = tf.reduce_sum(net.trunk(Sides(context, tf.ones([1, 4])))[0] / context)
    gradient = tape.gradient(gate, context).numpy()[0]
    np.testing.assert_allclose(gradient[:2], 0, atol=1e-7)  # the user is only looked at
    assert np.abs(gradient[2:]).min() > 0


def test_without_context_features():
    net = architecture("pepnet", ["a"])
    assert net(Sides(tf.zeros([1, 0]), tf.ones([4, 3]))).shape == (4, 1)
    net = architecture("home", ["a"])
    assert net(Sides(tf.zeros([1, 0]), tf.ones([4, 3]))).shape == (4, 1)


def test_a_task_hears_all_experts_and_teaches_its_own_and_the_shared():
    net = architecture("stem", ["a", "b"], activation="tanh")
    inputs = inputs_of(net, SIDES)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(net.logits(net.trunk(inputs, training=True), training=True)[0])
    shared, first, second = (group[0].stack[0].kernels[0] for group in net.trunk.groups)
    reached = tape.gradient(total, [shared, first, second])
    assert [g is not None for g in reached] == [True, True, False]
    before = net(inputs).numpy()
    second.assign_add([[1.0] * 6])
    assert net(inputs).numpy()[0, 0] != before[0, 0]


def test_a_normalised_expert_by_hand():
    options = ARCHITECTURES["home"].Options(expert_units=(1,), rank=1)
    expert = NormalisedExpert(options, name="expert")
    rows = tf.constant([[1.0], [3.0]])
    expert(rows)
    constant(expert.up[0], 0.0)  # the input gate: 2 sigmoid(0) = 1
    expert.last.kernels[0].assign([[2.0]])
    out = expert(rows, training=True).numpy()[:, 0]
    normal = np.array([-1.0, 1.0]) * 2 / np.sqrt(4 + 1e-3)
    np.testing.assert_allclose(out, normal / (1 + np.exp(-normal)), rtol=1e-4)


def test_groups_have_experts_of_their_own():
    net = architecture("home", ["a", "b", "c"], groups={"watch": ("a", "b"), "act": ("c",)}, activation="tanh")
    net(SIDES)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(logit(net, SIDES, 2))
    kernels = [experts[0].last.kernels[0] for experts in net.trunk.next_own]
    assert [g is not None for g in tape.gradient(total, kernels)] == [False, True]


def test_all_gates_of_stem_see_the_same_experts():
    net = architecture("stem", ["a", "b"])
    with watching() as seen:
        net(inputs_of(net, SIDES))
    first, second = seen
    assert first.experts == second.experts
    assert all(x is y for x, y in zip(first.outputs, second.outputs, strict=True))


@pytest.mark.parametrize("name", ["ple", "stem", "home"])
def test_a_task_may_be_called_shared(name):
    net = architecture(name, ["shared", "b"], **({"groups": {"shared": ("shared", "b")}} if name == "home" else {}))
    with watching() as seen:
        net(inputs_of(net, SIDES))
    for reading in seen:
        assert len(set(reading.experts)) == len(reading.experts)
    names = [layer.name for layer in net.submodules if layer.name.startswith("expert_")]
    assert len(set(names)) == len(names)
