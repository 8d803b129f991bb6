"""Asymmetric and customised sharing by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.schema import Schema
from tests.ranker.architectures.parts import SIDES, constant, logit, ones
from tests.ranker.models import architecture

TASKS = {name: {"kind": "binary"} for name in ("click", "like", "buy")}
SCHEMA = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": TASKS})


def test_each_tower_reads_the_shared_and_its_own_bottom():
    net = architecture("customized", ["a", "b"], bottom=(1,), own_bottom=(1,), towers=())
    net(SIDES)
    constant(net.trunk.bottom.stack[0], 10.0)
    for head, own in zip(net.heads, (1.0, 2.0), strict=True):
        constant(head.own.stack[0], own)
        ones(head.tower.output_layer)
    np.testing.assert_allclose(net(SIDES), [[11, 12]])


def feeding(**options):
    net = architecture("asymmetric", list(TASKS), bottom=(1,), towers=(), **options)
    net(SIDES)
    return net


def values(net, shared, own):
    for bottom, value in zip(net.trunk.bottoms, shared, strict=True):
        constant(bottom.stack[0], value)
    for head, value in zip(net.heads, own, strict=True):
        ones(head.tower.output_layer)
        if head.own is not None:
            constant(head.own.stack[0], value)
    return net(SIDES).numpy()


def test_the_first_task_feeds_all_others_by_default():
    np.testing.assert_allclose(values(feeding(), [1.0], [None, 20.0, 300.0]), [[1, 21, 301]])


def test_a_list_says_who_feeds_whom():
    net = feeding(feeds={"like": ("click",), "buy": ("click", "like")})
    np.testing.assert_allclose(values(net, [20.0, 300.0], [1.0, None, None]), [[321, 320, 300]])


@pytest.mark.parametrize("stop", [False, True])
def test_a_fed_tasks_gradient_reaches_the_bottom_unless_stopped(stop):
    net = feeding(stop_gradient=stop, activation="tanh")
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(logit(net, SIDES, 1))
    gradient = tape.gradient(loss, net.trunk.trainable_variables[0])
    assert (gradient is None) == stop


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"clik": ("like",)}, "feeds: 'clik' is not a task; did you mean 'click'?"),
        ({"click": ("click",)}, "feeds.click: 'click' is not a task"),
        ({"click": ("like", "like")}, "'like' is listed twice"),
    ],
)
def test_names_that_are_no_tasks_are_refused(feeds, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        ARCHITECTURES["asymmetric"].Options(feeds=feeds).check(SCHEMA)
