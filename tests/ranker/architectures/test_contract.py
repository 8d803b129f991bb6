"""What every architecture promises."""

from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.layers import Expert, Sides
from tests.ranker.models import TRAINABLE, architecture, inputs_of

CONTEXT = tf.constant(np.random.default_rng(0).normal(size=(1, 5)).astype(np.float32))
CANDIDATE = tf.constant(np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32))
JOINED = Sides(tf.repeat(CONTEXT, 7, axis=0), CANDIDATE)
EVERY = pytest.mark.parametrize("name", list(ARCHITECTURES))


def tasks(count):
    return [f"task_{i}" for i in range(count)]


def made(name, count):
    """One that has dropout, and is smooth, so that no unit is dead."""
    return architecture(name, tasks(count), activation="tanh", dropout=0.5)


@cache
def built(name):
    net = made(name, 3)
    net(inputs_of(net, JOINED))
    return net


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def net(request):
    """Of three tasks, built once for all that only look at it."""
    return built(request.param)


@pytest.fixture(scope="module", params=TRAINABLE)
def trained(request):
    """One with weights."""
    return built(request.param)


@EVERY
@pytest.mark.parametrize("count", [1, 2])
def test_one_logit_a_task(name, count):
    net = architecture(name, tasks(count))
    assert net(inputs_of(net, JOINED)).shape == (7, count)


def test_three_logits_of_three_tasks(net):
    assert net(inputs_of(net, JOINED)).shape == (7, 3)


def test_one_context_row_serves_all_candidates(net):
    split = inputs_of(net, Sides(CONTEXT, CANDIDATE))
    np.testing.assert_allclose(net(split), net(inputs_of(net, JOINED)), atol=1e-6)


def test_gradients_reach_every_parameter(trained):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(trained(inputs_of(trained, JOINED)) * tf.constant([[1.0, -2.0, 0.5]]))
    for variable, gradient in zip(
        trained.trainable_variables, tape.gradient(loss, trained.trainable_variables), strict=True
    ):
        assert gradient is not None, variable.name
        assert np.abs(gradient).max() > 0, variable.name


def test_trunk_and_heads_share_all_variables_out(net):
    parts = [net.trunk, *net.heads]
    owned = [variable.ref() for part in parts for variable in part.trainable_variables]
    assert len(owned) == len(set(owned))
    assert set(owned) == {variable.ref() for variable in net.trainable_variables}


def test_a_head_answers_to_its_own_task_alone(trained):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(trained.logits(trained.trunk(inputs_of(trained, JOINED)))[1])
    variables = [head.trainable_variables for head in trained.heads]
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


def test_dropout_acts_in_training_only(trained):
    joined = inputs_of(trained, JOINED)
    np.testing.assert_array_equal(trained(joined), trained(joined))
    assert not np.allclose(trained(joined, training=True), trained(joined, training=True))


@EVERY
def test_no_task_is_refused(name):
    with pytest.raises(ValueError, match="at least one task"):
        ARCHITECTURES[name]([])


def test_one_without_weights_has_no_variable():
    for name in set(ARCHITECTURES) - set(TRAINABLE):
        assert not built(name).variables
