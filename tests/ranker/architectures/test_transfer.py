"""AITM and DBMTL: tasks that read other tasks."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.architectures.aitm import TransferUnit
from ranker.schema import Schema
from tests.ranker.architectures.parts import SIDES, logit
from tests.ranker.models import architecture

TASKS = ("click", "cart", "buy")


def test_attention_over_what_is_passed_on_and_ones_own_by_hand():
    unit = TransferUnit(1, name="unit")
    vectors = [tf.constant([[1.0]]), tf.constant([[2.0]])]
    unit(vectors)
    for part, kernel in ((unit.value, 10.0), (unit.query, 1.0), (unit.key, 0.5)):
        part.kernels[0].assign([[kernel]])
    weights = np.exp([0.5 * 1, 0.5 * 4])
    weights /= weights.sum()
    np.testing.assert_allclose(unit(vectors), [[10 * weights[0] + 20 * weights[1]]], rtol=1e-6)


def schema(**changes):
    tasks = {name: {"kind": "binary"} for name in TASKS}
    return Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": {**tasks, **changes}})


def reached(name, task, **options):
    """Tasks whose own layers this task's logit depends on."""
    net = architecture(name, list(TASKS), activation="tanh", **options)
    net(SIDES)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(logit(net, SIDES, list(TASKS).index(task)))
    variables = net.trainable_variables
    gradients = tape.gradient(total, variables)
    names = " ".join(v.name for v, g in zip(variables, gradients, strict=True) if g is not None)
    return [t for t in TASKS if f"bottom_{t}" in names or f"own_{t}" in names]


def test_a_task_reads_those_before_it():
    assert reached("aitm", "click") == ["click"]
    assert reached("aitm", "buy") == ["click", "cart", "buy"]
    assert reached("aitm", "click", order=("buy", "click", "cart")) == ["click", "buy"]
    assert reached("dbmtl", "cart") == ["click", "cart"]
    assert reached("dbmtl", "buy", after={"buy": ("click",)}) == ["click", "buy"]
    assert reached("dbmtl", "cart", after={"buy": ("click",)}) == ["cart"]


def test_the_calibrator_by_hand():
    kind = ARCHITECTURES["aitm"]
    net = kind(list(TASKS), kind.Options(calibrator=0.5, order=("cart", "click", "buy")))
    p = {"click": [0.5, 0.4], "cart": [0.2, 0.6], "buy": [0.9, 0.1]}
    logits = [tf.constant(np.log(np.array(v) / (1 - np.array(v))), tf.float32) for v in p.values()]
    (penalty,) = net.penalties(logits)
    # click over cart: .3 and 0; buy over click: .4 and 0
    np.testing.assert_allclose(penalty, 0.5 * (0.3 + 0.4) / 2, rtol=1e-5)
    assert kind(list(TASKS)).penalties(logits) == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("aitm", {"order": ("click", "buy")}, "order: lacks cart"),
        ("aitm", {"order": ("click", "bye")}, "'bye' is not a task; did you mean 'buy'"),
        ("dbmtl", {"after": {"click": ("buy",), "buy": ("click",)}}, "cycle among click, buy"),
        ("dbmtl", {"after": {"click": ("click",)}}, "'click' is not a task"),
        ("home", {"groups": {"watch": ("click", "cart", "buy"), "act": ()}}, "groups.act: lists no task"),
        ("home", {"groups": {"watch": ("click",)}}, "cart, buy in no group"),
        ("home", {"groups": {"watch": ("click", "cart"), "act": ("cart", "buy")}}, "'cart' is listed twice"),
    ],
)
def test_options_that_do_not_fit_the_tasks_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        ARCHITECTURES[name].Options(**options).check(schema())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"watch": {"kind": "regression"}}, "watch is a regression"),
        (
            {"buy": {"kind": "binary", "given": "click"}},
            "buy is given click, so the product of probabilities already keeps the order",
        ),
    ],
)
def test_the_calibrator_is_for_unconditional_probabilities(changes, message):
    options = ARCHITECTURES["aitm"].Options
    options().check(schema(**changes))
    with pytest.raises(ValueError, match=message):
        options(calibrator=0.6).check(schema(**changes))
