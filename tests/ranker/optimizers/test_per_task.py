"""Moments by task: what one task alone does, what a scale does, and what stays untouched."""

import numpy as np
import pytest
import tensorflow as tf

from ranker import replicas
from ranker.optimizers import OPTIMIZERS
from ranker.optimizers.grouped import Group, GroupedOptimizer, kept_apart
from ranker.optimizers.per_task import PerTaskOptimizer, TaskParts
from ranker.weighting import Static
from tests.ranker.models import batch_of, model_of

RATE = 0.01
PER_TASK = [name for name, kind in OPTIMIZERS.items() if kind.per_task]
EVERY = pytest.mark.parametrize("name", PER_TASK)


def rate():
    return tf.constant(RATE)


def per_task(name, tasks):
    return PerTaskOptimizer(lambda rate: OPTIMIZERS[name].make(learning_rate=rate), tasks, rate)


def walk(optimizer, gradients, weights=None):
    """Where a variable of zeros is after steps with gradients [steps, T, n]; the step is a graph, as in training."""
    x = tf.Variable(tf.zeros(gradients.shape[2]))
    weights = tf.ones(gradients.shape[1]) if weights is None else tf.constant(weights)

    @tf.function(autograph=False)
    def step(by_task):
        optimizer.apply_gradients([(TaskParts(tuple(tf.unstack(by_task)), weights), x)])

    path = []
    for by_task in gradients:
        step(tf.constant(by_task, tf.float32))
        path.append(x.numpy())
    return np.array(path)


def joint(name, gradients):
    """The same of the plain optimiser, on the sum of the tasks' gradients."""
    optimizer, x = OPTIMIZERS[name].make(learning_rate=RATE), tf.Variable(tf.zeros(gradients.shape[2]))
    path = []
    for by_task in gradients:
        optimizer.apply_gradients([(tf.constant(by_task.sum(axis=0), tf.float32), x)])
        path.append(x.numpy())
    return np.array(path)


def drawn(steps=8, tasks=1, size=5, seed=0):
    return np.random.default_rng(seed).normal(size=(steps, tasks, size))


@EVERY
def test_one_task_is_the_plain_optimiser(name):
    np.testing.assert_array_equal(walk(per_task(name, 1), drawn()), joint(name, drawn()))


@EVERY
def test_the_step_is_the_weighted_sum_of_what_each_task_would_do_alone(name):
    gradients = drawn(tasks=3)
    alone = [joint(name, gradients[:, [task]]) for task in range(3)]
    expected = 0.5 * alone[0] + 2.0 * alone[1] + 0.0 * alone[2]
    np.testing.assert_allclose(walk(per_task(name, 3), gradients, [0.5, 2.0, 0.0]), expected, atol=1e-6)


@EVERY
def test_the_scale_of_a_loss_changes_nothing(name):
    gradients = drawn(tasks=2)
    scaled = gradients * np.array([1.0, 100.0])[None, :, None]
    np.testing.assert_allclose(walk(per_task(name, 2), gradients), walk(per_task(name, 2), scaled), atol=2e-6)
    assert np.abs(joint(name, gradients) - joint(name, scaled)).max() > 0.005  # where moments are joint, it does


@EVERY
def test_a_fast_task_takes_smaller_steps_and_a_slow_one_larger(name):
    """Task 0 pulls the first number, task 1 the second and, opposed, the first; their gradients are 100 to 1."""
    fast, slow = [100.0, 0.0], [-1.0, 1.0]
    gradients = np.array([[fast, slow]] * 20)
    apart, together = walk(per_task(name, 2), gradients)[-1], joint(name, gradients)[-1]
    assert together[0] < -0.01  # jointly the fast task has its way
    assert abs(apart[0]) < 1e-3 * abs(together[0])  # apart, both count alike
    np.testing.assert_allclose(apart[1], together[1], rtol=1e-5)  # where the slow task is alone nothing changes


def test_adagrad_by_hand():
    """Accumulators 1e-8 + 9 and 1e-8 + 16: steps 3 / 3 and 4 / 4."""
    optimizer = PerTaskOptimizer(
        lambda rate: OPTIMIZERS["adagrad"].make(learning_rate=rate), 2, lambda: tf.constant(0.1)
    )
    np.testing.assert_allclose(walk(optimizer, np.array([[[3.0], [-4.0]]]), [1.0, 0.25]), [[-0.075]], atol=1e-6)


@EVERY
def test_a_task_without_gradient_keeps_its_moments(name):
    optimizer = per_task(name, 2)
    x, y = tf.Variable([1.0, 2.0]), tf.Variable([3.0])
    both, ones = tf.constant([0.3, -0.2]), tf.ones(2)
    optimizer.apply_gradients([(TaskParts((both, both), ones), x), (TaskParts((both[:1], both[:1]), ones), y)])
    before = [variable.numpy() for variable in optimizer.of_tasks[1].weights]
    fixed = y.numpy()
    for _ in range(3):
        optimizer.apply_gradients([(TaskParts((both, None), ones), x)])
    after = [variable.numpy() for variable in optimizer.of_tasks[1].weights]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert np.array_equal(y.numpy(), fixed)
    assert int(optimizer.of_tasks[0].iterations) == 4


def test_another_number_of_tasks_is_refused():
    x = tf.Variable([1.0])
    with pytest.raises(ValueError, match=r"the optimiser has moments of 3 task\(s\), got gradients of 1"):
        per_task("adam", 3).apply_gradients([(TaskParts((tf.ones(1),), tf.ones(1)), x)])
    with pytest.raises(ValueError, match="at least 1, got 0"):
        per_task("adam", 0)


def compiled(rows, architecture, make, apart=True, **options):
    """A model whose shared dense variables are moved by task, or all by one optimiser."""
    model = model_of(rows, architecture, activation="tanh", **options)
    tables = {table.ref() for table in model.embedding.tables.values()}
    shared = [variable for variable in model.shared_variables if variable.ref() not in tables]
    rest = [v for v in model.trainable_variables if v.ref() not in {s.ref() for s in shared}]
    first = PerTaskOptimizer(make, len(model.tasks), rate) if apart else make(rate)
    groups = [Group(first, shared, rate), Group(make(rate), rest, rate)]
    model.compile(optimizer=GroupedOptimizer(groups, tf.Variable(0, dtype=tf.int64)))
    return model


def sgd(rate):
    return tf.keras.optimizers.legacy.SGD(rate)


@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe", "ple", "soft_sharing", "sluice", "aitm"])
def test_where_steps_are_linear_tasks_apart_are_tasks_together(rows, architecture):
    """Gradient descent keeps no moments: gradients by task, weights and penalties add up to the joint step."""
    weights = {"click": 0.5, "buy": 2.0, "watch": 0.5}  # of mean 1, to which weights are scaled
    options = {"calibrator": 0.5} if architecture == "aitm" else {}
    walked = []
    for apart in (True, False):
        weighting = Static(Static.Options(weights=weights))
        model = compiled(rows, architecture, sgd, apart, weighting=weighting, l2=0.01, **options)
        assert bool(kept_apart(model.optimizer)) == apart
        model.train_step(batch_of(rows))
        walked.append([variable.numpy() for variable in model.trainable_variables])
    for one, other in zip(*walked, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_replicas_sum_no_joint_gradient_of_what_is_moved_by_task(rows, monkeypatch):
    model, summed, sent = compiled(rows, "shared_bottom", sgd), replicas.all_summed, []

    def counted(values):
        sent.extend(int(tf.size(v)) for v in values if v is not None and not isinstance(v, tf.IndexedSlices))
        return summed(values)

    monkeypatch.setattr(replicas, "all_summed", counted)
    model.train_step(batch_of(rows))
    apart, heads = (
        sum(int(tf.size(v)) for v in variables) for variables in (kept_apart(model.optimizer), model.head_variables)
    )
    tasks = len(model.tasks)
    assert sum(sent) == tasks + tasks * apart + heads  # the losses, and one gradient of each task


def test_a_task_has_moments_of_what_its_loss_reaches(rows):
    """In soft sharing each task has its own network in the trunk; what ties them is divided among those it reaches."""
    model = compiled(rows, "soft_sharing", lambda rate: OPTIMIZERS["adam"].make(learning_rate=rate), funnel="masked")
    model.train_step(batch_of(rows))
    optimizers = model.optimizer.groups[0].optimizer.of_tasks
    trunk = model.architecture.trunk.trainable_variables
    own = len(trunk) // 3
    assert [len(optimizer.weights) for optimizer in optimizers] == [1 + 2 * own] * 3  # the count of steps, two moments


@EVERY
def test_a_model_learns_all_tasks(rows, name):
    make = OPTIMIZERS[name].make
    model = compiled(rows, "shared_bottom", lambda rate: make(learning_rate=rate))
    batch = batch_of(rows)
    before = np.array(model.compute_loss(batch))
    for _ in range(3):  # not compiled, which takes longer than so few steps
        model.train_step(batch)
    assert (np.array(model.compute_loss(batch)) < before).all()
