"""What every balancing method promises."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary, Regression
from ranker.weighting import MGDA, PELTR, WEIGHTINGS, Evidence, GradientBalancer, LabelFacts
from ranker.weighting.base import LossBalancer

TASKS = {"click": Binary(kind="binary"), "like": Binary(kind="binary"), "watch": Regression(kind="regression")}
LOSSES = np.array([0.5, 0.1, 3.0], dtype=np.float32)
GRADIENTS = {
    "plain": np.array([[1.0, 2, 0], [0, 1, -1], [2, 0, 1]]),
    "zero": np.array([[1.0, 2, 0], [0, 0, 0], [2, 0, 1]]),
    "all zero": np.zeros((3, 3)),
    "duplicate": np.array([[1.0, 2, 0], [1, 2, 0], [2, 0, 1]]),
    "opposite": np.array([[1.0, 2, 0], [-1, -2, 0], [2, 0, 1]]),
    "badly scaled": np.array([[1e4, 2e4, 0], [0, 1e-4, -1e-4], [2, 0, 1]]),
}


def built(name, tasks=TASKS):
    method = WEIGHTINGS[name]()
    method.build(tasks)
    return method


def evidence(gramian, quality=(0.7, 0.6, 0.5)):
    return Evidence(lambda: gramian, lambda: tf.constant(quality))


def balanced(method, losses, gradients, quality=(0.7, 0.6, 0.5)):
    gramian = tf.constant(gradients @ gradients.T, tf.float32)
    return method.balance(tf.constant(losses), evidence(gramian, quality))


@pytest.mark.parametrize("name", list(WEIGHTINGS))
@pytest.mark.parametrize("kind", list(GRADIENTS))
def test_seeds_are_finite_and_own_gradients_match_own_variables(name, kind):
    method = built(name)
    balance = balanced(method, LOSSES, GRADIENTS[kind])
    assert balance.shared.shape == balance.heads.shape == (3,)
    assert np.isfinite(balance.shared).all()
    assert np.isfinite(balance.heads).all()
    assert all(np.isfinite(g).all() for g in balance.own)
    assert [g.shape for g in balance.own] == [v.shape for v in method.trainable_variables]


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_the_order_of_tasks_does_not_matter(name):
    order = [2, 0, 1]
    names = list(TASKS)
    quality = np.array([0.7, 0.6, 0.5], dtype=np.float32)
    straight, turned = built(name), built(name, {names[i]: TASKS[names[i]] for i in order})
    for step in range(3):  # what a method remembers follows the tasks too
        losses = (LOSSES * (1 - 0.1 * step * np.arange(3))).astype(np.float32)
        gradients = GRADIENTS["plain"] * (1 + step)
        first = balanced(straight, losses, gradients, quality)
        second = balanced(turned, losses[order], gradients[order], quality[order])
        np.testing.assert_allclose(first.shared.numpy()[order], second.shared, rtol=1e-5)
        np.testing.assert_allclose(first.heads.numpy()[order], second.heads, rtol=1e-5)
        straight.after(tf.constant(losses * 0.9))
        turned.after(tf.constant(losses[order] * 0.9))


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_it_runs_in_a_graph_as_it_does_eagerly(name):
    method = built(name)
    gramian = tf.constant(GRADIENTS["plain"] @ GRADIENTS["plain"].T, tf.float32)
    graph, eager = (
        tf.function(lambda losses: method.balance(losses, evidence(gramian)).shared, autograph=False),
        built(name),
    )
    for _ in range(3):
        np.testing.assert_allclose(
            graph(tf.constant(LOSSES)), balanced(eager, LOSSES, GRADIENTS["plain"]).shared, rtol=1e-5
        )


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_a_task_without_labels_moves_nothing_of_its_own(name):
    method, losses = built(name), np.array([0.5, 0.0, 3.0], dtype=np.float32)
    for _ in range(3):
        balance = balanced(method, losses, GRADIENTS["zero"])
        assert np.isfinite(balance.shared).all()
        for variable, gradient in zip(method.trainable_variables, balance.own, strict=True):
            assert variable.shape == (3,)
            assert gradient.numpy()[1] == 0
        method.after(tf.constant(losses))
    again = balanced(method, LOSSES, GRADIENTS["plain"])
    assert np.isfinite(again.shared).all()


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_it_can_be_taken_up_again(name, tmp_path):
    """What a method remembers is in its checkpoint."""
    first, second = built(name), built(name)
    for step in range(2):
        balanced(first, LOSSES * (1 - 0.1 * step), GRADIENTS["plain"] * (1 + step))
        first.after(tf.constant(LOSSES * 0.8))
    path = tf.train.Checkpoint(first).write(str(tmp_path / "state"))
    tf.train.Checkpoint(second).read(path)
    for _ in range(2):
        expected, got = (balanced(method, LOSSES * 0.5, GRADIENTS["plain"]).shared for method in (first, second))
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_it_takes_what_labels_say(name):
    method = WEIGHTINGS[name]()
    facts = LabelFacts([0.6, 0.1, 2.0], [0.69, 0.69, 5.0], [[9, 9, 9], [9, 9, 9], [9, 9, 9]])
    method.build(TASKS, facts)
    assert np.isfinite(balanced(method, LOSSES, GRADIENTS["plain"]).shared).all()
    assert all(isinstance(caution, str) for caution in method.cautions(TASKS, facts))


@pytest.mark.parametrize("name", [n for n in WEIGHTINGS if issubclass(WEIGHTINGS[n], GradientBalancer)])
def test_gradient_methods_can_be_called_alone(name):
    gramian = tf.constant(GRADIENTS["plain"] @ GRADIENTS["plain"].T, tf.float32)
    weights = WEIGHTINGS[name]().weights(tf.constant(LOSSES), gramian)
    assert weights.shape == (3,)
    assert np.isfinite(weights).all()


GRADIENT_METHODS = [name for name in WEIGHTINGS if issubclass(WEIGHTINGS[name], GradientBalancer)]


def step(name, gradients, losses=LOSSES):
    """The shared step that a method's weights make of gradients [T, D]."""
    gramian = tf.constant(gradients @ gradients.T, tf.float64)
    weights = WEIGHTINGS[name]().weights(tf.constant(losses, tf.float64), gramian)
    return weights.numpy() @ gradients


@pytest.mark.parametrize("name", ["mgda", "pe_ltr", "upgrad", "dualproj"])
@pytest.mark.parametrize("seed", range(20))
def test_no_task_is_opposed(name, seed):
    gradients = np.random.default_rng(seed).normal(size=(4, 3 + seed % 3))
    taken = step(name, gradients, np.ones(4))
    scale = np.linalg.norm(gradients, axis=1).max() ** 2
    assert (gradients @ taken).min() >= -1e-6 * scale


@pytest.mark.parametrize("name", ["normalized_gradients", "nash_mtl"])
@pytest.mark.parametrize("seed", range(5))
def test_scaling_a_loss_does_not_turn_the_step(name, seed):
    random = np.random.default_rng(seed)
    gradients, scales = random.normal(size=(3, 5)), np.array([[1e-3], [1.0], [30.0]])
    first, second = step(name, gradients), step(name, scales * gradients)
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    assert cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_one_task_keeps_its_direction(name):
    gramian = tf.constant([[4.0]], tf.float64)
    weights = WEIGHTINGS[name]().weights(tf.constant([0.5], tf.float64), gramian)
    assert np.isfinite(weights).all()
    assert weights.numpy()[0] > 0


@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_any_number_of_tasks(name, count):
    gradients = np.random.default_rng(count).normal(size=(count, 8))
    assert np.isfinite(step(name, gradients, np.ones(count))).all()


def test_mgda_is_pe_ltr_without_bounds():
    gramian = tf.constant(GRADIENTS["plain"] @ GRADIENTS["plain"].T)
    losses = tf.constant(LOSSES, tf.float64)
    np.testing.assert_allclose(MGDA().weights(losses, gramian), PELTR().weights(losses, gramian), atol=1e-12)


@pytest.mark.parametrize("name", [name for name in WEIGHTINGS if "scale_by" in WEIGHTINGS[name].Options.model_fields])
def test_scaled_by_priors_no_unit_of_a_loss_matters(name):
    constant, units = np.array([0.6, 0.2, 4.0]), np.array([1.0, 100.0, 0.01])
    steps = []
    for unit in (np.ones(3), units):
        method = WEIGHTINGS[name](WEIGHTINGS[name].Options(scale_by="prior"))
        method.build(TASKS, LabelFacts(constant * unit, constant * unit, np.ones((3, 3)).tolist()))
        balance = balanced(method, (LOSSES * unit).astype(np.float32), GRADIENTS["plain"] * unit[:, None])
        steps.append([balance.shared * unit, balance.heads * unit])
    np.testing.assert_allclose(steps[1], steps[0], rtol=1e-4)


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_methods_that_compare_gradients_or_look_back_are_not_asynchronous(name):
    method = WEIGHTINGS[name]
    if issubclass(method, GradientBalancer) or method.looks_back:
        assert not method.asynchronous
    if issubclass(method, LossBalancer):
        assert method.asynchronous  # its weights are a function of the batch's losses and trained variables
