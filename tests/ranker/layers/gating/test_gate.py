import numpy as np
import pytest
import tensorflow as tf

from ranker.layers import Gate, GateOptions, Sides, gate_weights, watching

SIDES = Sides(tf.constant([[1.0, 2.0]]), tf.constant([[0.5], [-1.0]]))


def gate(name="gate", **options):
    return Gate(["a", "b", "c"], GateOptions(**options), name=name)


def test_temperature_divides_the_logits():
    logits = tf.constant([[0.0, 2.0, 4.0]])
    np.testing.assert_allclose(gate(temperature=2.0).weights_from(logits), tf.nn.softmax([[0.0, 1.0, 2.0]]))


def test_dropout_drops_experts_in_training_and_rescales_the_rest():
    layer = gate(dropout=0.5)
    weights = tf.constant([[0.2, 0.3, 0.5]] * 400)
    logits = tf.math.log(weights)
    np.testing.assert_allclose(layer.weights_from(logits), weights, rtol=1e-5)
    drawn = layer.weights_from(logits, training=True).numpy()
    np.testing.assert_allclose(drawn.sum(axis=1), 1, rtol=1e-5)
    left_out = (drawn == 0).mean(axis=0)
    assert ((left_out > 0.3) & (left_out < 0.55)).all()  # half of them, but for rows that would lose all
    assert not (drawn == 0).all(axis=1).any()


def test_a_deeper_gate_has_hidden_layers():
    layer = gate(units=(7, 5))
    assert layer.weights_of(SIDES).shape == (2, 3)
    assert [dense.units for dense in layer.stack.stack] == [7, 5]


def test_joined_gates_of_one_input_equal_separate_gates():
    gates = [gate("one"), gate("two", temperature=3.0), gate("three", kind="top_k", k=1)]
    together = gate_weights(gates, [SIDES] * 3)
    for layer, weights in zip(gates, together, strict=True):
        np.testing.assert_allclose(weights, layer.weights_of(SIDES), rtol=1e-6)


def test_observation_collects_gate_weights_and_ends_with_the_block():
    layer, experts = gate(), [tf.fill([2, 4], float(i)) for i in range(3)]
    with watching() as seen:
        layer(SIDES, experts)
    layer(SIDES, experts)
    (reading,) = seen
    assert (reading.gate, reading.experts) == ("gate", ("a", "b", "c"))
    np.testing.assert_allclose(reading.weights, layer.weights_of(SIDES))
    np.testing.assert_array_equal(reading.outputs[2], experts[2])


def test_the_number_of_experts_must_match_the_names():
    with pytest.raises(ValueError, match="weighs 3 experts, got 2"):
        gate()(SIDES, [tf.ones([2, 4])] * 2)
    with pytest.raises(ValueError, match="at least one"):
        Gate([], GateOptions())


def test_dselect_k_starts_where_its_steps_are_steep():
    layer = Gate([f"e{i}" for i in range(8)], GateOptions(kind="dselect_k"))
    inputs = tf.random.stateless_normal([200, 30], seed=[1, 2])
    outputs = layer.project(inputs)
    assert float(tf.reduce_max(tf.abs(outputs))) < 0.2
