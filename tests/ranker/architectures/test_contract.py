"""What every architecture promises."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.layers import Expert, Sides
from tests.ranker.models import architecture, inputs_of

CONTEXT = tf.constant(np.random.default_rng(0).normal(size=(1, 5)).astype(np.float32))
CANDIDATE = tf.constant(np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32))
JOINED = Sides(tf.repeat(CONTEXT, 7, axis=0), CANDIDATE)
EVERY = pytest.mark.parametrize("name", list(ARCHITECTURES))


def tasks(count):
    return [f"task_{i}" for i in range(count)]


def made(name, count):
    """One that has dropout, and is smooth, so that no unit is dead."""
    return architecture(name, tasks(count), activation="tanh", dropout=0.5)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def net(request):
    """Of three tasks, built once for all that only look at it. Its tests run one after another."""
    built = made(request.param, 3)
    built(inputs_of(built, JOINED))
    return built


@EVERY
@pytest.mark.parametrize("count", [1, 2, 6])
def test_one_logit_a_task(name, count):
    net = architecture(name, tasks(count))
    assert net(inputs_of(net, JOINED)).shape == (7, count)


def test_one_context_row_serves_all_candidates(net):
    split = inputs_of(net, Sides(CONTEXT, CANDIDATE))
    np.testing.assert_allclose(net(split), net(inputs_of(net, JOINED)), atol=1e-6)


def test_gradients_reach_every_parameter(net):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net(inputs_of(net, JOINED)) * tf.constant([[1.0, -2.0, 0.5]]))
    for variable, gradient in zip(net.trainable_variables, tape.gradient(loss, net.trainable_variables), strict=True):
        assert gradient is not None, variable.name
        assert np.abs(gradient).max() > 0, variable.name


def test_trunk_and_heads_share_all_variables_out(net):
    parts = [net.trunk, *net.heads]
    owned = [variable.ref() for part in parts for variable in part.trainable_variables]
    assert len(owned) == len(set(owned))
    assert set(owned) == {variable.ref() for variable in net.trainable_variables}


def test_a_head_answers_to_its_own_task_alone(net):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net.logits(net.trunk(inputs_of(net, JOINED)))[1])
    variables = [head.trainable_variables for head in net.heads]
    reached = [any(g is not None for g in gradients) for gradients in tape.gradient(loss, variables)]
    assert reached == [False, True, False]


def test_layers_of_one_kind_start_apart(net):
    kernels = [e.stack[0].kernels[0].numpy() for e in net.submodules if isinstance(e, Expert)]
    for i, first in enumerate(kernels):
        assert not any(first.shape == other.shape and np.allclose(first, other) for other in kernels[:i])


def test_weights_can_be_saved_and_read(net, request, tmp_path):
    other = made(request.node.callspec.params["net"], 3)
    joined = inputs_of(net, JOINED)
    expected = net(joined)
    other(joined)
    path = tf.train.Checkpoint(net=net).write(str(tmp_path / "weights"))
    tf.train.Checkpoint(net=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other(joined), expected)


def test_dropout_acts_in_training_only(net):
    joined = inputs_of(net, JOINED)
    np.testing.assert_array_equal(net(joined), net(joined))
    assert not np.allclose(net(joined, training=True), net(joined, training=True))


@EVERY
def test_no_task_is_refused(name):
    with pytest.raises(ValueError, match="at least one task"):
        ARCHITECTURES[name]([])
