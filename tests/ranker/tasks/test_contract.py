"""What every task kind promises; a new entry of ``TASK_KINDS`` is tested here without further work."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ranker.encoding import encode_labels
from ranker.encoding.columns import ColumnError
from ranker.schema import Schema
from ranker.tasks import TASK_KINDS

NEEDED = {
    "multiclass": {"classes": 3, "positive": [1, 2]},
    "quantile_of_duration": {"duration": "seconds"},
}
"""Options that a kind cannot do without."""
OPTIONS = {
    "discretised": [{"duration": "seconds", "buckets": 4}, {"buckets": 2, "adapt": 1.0}],
    "multiclass": [{"classes": [-2, 7.5, 1], "values": [1, -3, 20], "positive": None}],
    "quantile_of_duration": [{"groups": 1, "quantiles": 7}],
    "binary": [{"positive_weight": 3.0}],
    "regression": [
        {"transform": "log1p"},
        {"loss": "weighted_logistic"},
        {"loss": "weighted_logistic", "negatives": "zeros"},
    ],
}
"""Options beside the defaults with which a kind is tested; its constant loss must be exact under them."""
NUMBERS = np.array([-2.0, -0.5, 0.0, 0.25, 1.0, 2.0, 3.0, 7.5])
"""Of these, a kind's labels are drawn and refused."""


def drawn_labels(task, rows=300):
    """Labels [N] that the task allows, what it reads [N], and row weights [N], without those of its labels."""
    random = np.random.default_rng(0)
    labels = random.choice(NUMBERS[task.allowed(NUMBERS)], rows)
    return labels, random.choice([-1.0, 0.5, 2.0], rows), random.uniform(0.5, 2.0, rows)


def made(kind, options):
    task = TASK_KINDS[kind].model_validate({"kind": kind, **NEEDED.get(kind, {}), **options})
    return task.with_state(task.fit(*drawn_labels(task))) if task.is_fitted else task


TASKS = [made(kind, options) for kind in TASK_KINDS for options in ({}, *OPTIONS.get(kind, ()))]
"""Those that are fitted have their state."""


def name_of(task):
    return "-".join(map(str, task.model_dump(exclude_defaults=True).values()))


every_task = pytest.mark.parametrize("task", TASKS, ids=name_of)
narrow_task = pytest.mark.parametrize("task", [task for task in TASKS if task.logits == 1], ids=name_of)


def drawn(task, rows=300):
    """Labels [N] that the task allows, and row weights [N]."""
    labels, _, weights = drawn_labels(task, rows)
    counts = task.loss_weights(tf.constant(labels))
    return labels, weights if counts is None else weights * counts.numpy()


def with_read(task, logits, numbers=0.5):
    """Logits [N, K], followed by the ``numbers`` that the task reads, if any."""
    if task.reads is None:
        return logits
    numbers = tf.cast(tf.broadcast_to(numbers, tf.shape(logits)[:1]), logits.dtype)
    return tf.concat([logits, numbers[:, None]], axis=1)


def schema_of(task, **other):
    tasks = {"target": task.model_dump(), **other}
    candidate = {"item": {"kind": "categorical"}, "seconds": {"kind": "numeric"}}
    return Schema.model_validate({"candidate": candidate, "tasks": tasks})


@every_task
def test_a_task_round_trips_through_a_schema(task):
    schema = schema_of(task)
    assert schema.tasks["target"] == TASK_KINDS[task.kind].model_validate(task.model_dump())
    assert type(task) is TASK_KINDS[task.kind]
    assert Schema.model_validate_json(schema.model_dump_json()) == schema


@every_task
def test_invalid_labels_are_rejected(task):
    allowed = task.allowed(NUMBERS)
    assert allowed.sum() >= 2
    schema = schema_of(task)
    labels = encode_labels(schema, {"target": np.append(NUMBERS[allowed], np.nan)})
    np.testing.assert_array_equal(labels.values[:, 0], [*NUMBERS[allowed], 0])
    np.testing.assert_array_equal(labels.known[:, 0], [*np.ones(allowed.sum()), 0])
    for number in [*NUMBERS[~allowed], np.inf]:
        with pytest.raises(ColumnError, match="target") as error:
            encode_labels(schema, {"target": np.array([number])})
        assert not np.isfinite(number) or task.expects in str(error.value)


@every_task
def test_nonzero_labels_contradict_a_failed_condition(task):
    allowed = NUMBERS[task.allowed(NUMBERS)]
    np.testing.assert_array_equal(task.contradicts(allowed), allowed != 0)


@every_task
def test_weights_by_label_are_finite_and_at_least_0(task):
    labels, weights = drawn(task)
    assert (np.isfinite(weights) & (weights >= 0)).all()
    factors = task.label_weights(labels)
    assert factors is None or (np.isfinite(factors) & (factors >= 0)).all()


@every_task
@pytest.mark.parametrize("logit", [-30.0, -1.0, 0.0, 1.0, 30.0, 1e4])
def test_losses_and_gradients_are_finite(task, logit):
    labels = tf.constant(NUMBERS[task.allowed(NUMBERS)], tf.float32)
    logits = tf.fill([len(labels), task.logits], logit)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = task.losses(labels, with_read(task, logits))
    assert losses.shape == labels.shape
    assert (losses.numpy() >= -1e-5).all()  # 0 marks a task without labels in a batch, and is the least
    assert np.isfinite(losses).all()
    assert np.isfinite(tape.gradient(losses, logits)).all()


def constant_losses(task, grid):
    """Mean losses [G] of constant logits [G]."""
    labels, weights = drawn(task)
    logits = np.repeat(np.asarray(grid, np.float64), len(labels))[:, None]
    numbers = np.tile(drawn_labels(task)[1], len(grid))
    logits = with_read(task, tf.constant(logits), tf.constant(numbers))
    losses = task.losses(tf.constant(np.tile(labels, len(grid))), logits).numpy()
    return (losses.reshape(len(grid), -1) * weights).sum(axis=1) / weights.sum()


def means(task):
    labels, weights = drawn(task)
    moments = task.moments(tf.constant(labels)).numpy()
    return ((moments * weights[:, None]).sum(axis=0) / weights.sum()).tolist()


@narrow_task
def test_the_prior_loss_equals_the_loss_of_the_best_constant(task):
    least = constant_losses(task, np.linspace(-8.0, 8.0, 401)).min()
    assert task.constant_loss(means(task)) == pytest.approx(least, rel=1e-3, abs=1e-4)


@narrow_task
def test_the_untrained_loss_equals_the_loss_of_a_logit_of_0(task):
    assert task.untrained_loss(means(task), 0.5) == pytest.approx(constant_losses(task, [0.0])[0], rel=1e-6)


@every_task
@pytest.mark.parametrize("size", [1.0, 1e4, 1e-30])
def test_scores_are_finite_for_logits_of_any_size(task, size):
    signs = tf.constant(list(np.ndindex(*[3] * min(task.logits, 4))), tf.float32) - 1.0
    logits = size * tf.pad(signs, [[0, 0], [0, task.logits - signs.shape[1]]])
    scores = task.score(with_read(task, logits))
    assert scores.shape == (len(signs),)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("task", [task for task in TASKS if task.is_fitted], ids=name_of)
@pytest.mark.parametrize("labels", [[], [3.0], [0.0, 0.0], [2.0, 2.0, 2.0], [0.0, 1.0], [1e-20, 1e30]])
def test_a_kind_is_fitted_on_whatever_labels(task, labels):
    labels = np.array(labels)
    fitted = task.with_state(task.fit(labels, np.zeros(len(labels)), np.ones(len(labels))))
    assert all(np.isfinite(array).all() for array in fitted.state.values())
    shown = tf.constant([*labels.tolist(), 0.0, 1.0, 1e30], tf.float32)
    logits = tf.zeros([len(shown), task.logits])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = fitted.losses(shown, with_read(task, logits))
    assert np.isfinite(losses).all()
    assert np.isfinite(tape.gradient(losses, logits)).all()
    assert np.isfinite(fitted.score(with_read(task, logits))).all()


def test_a_kind_without_its_state_says_so():
    for task in TASKS:
        if task.is_fitted:
            unfitted = TASK_KINDS[task.kind].model_validate(task.model_dump())
            with pytest.raises(ValueError, match=f"a task of kind {task.kind} must be fitted first"):
                unfitted.score(with_read(task, tf.zeros([1, task.logits])))


@every_task
def test_the_constant_loss_of_equal_labels_is_finite_and_at_most_untrained(task):
    label = tf.constant([NUMBERS[task.allowed(NUMBERS)].max()])
    same = task.moments(label).numpy()[0].tolist()
    assert np.isfinite(task.constant_loss(same))
    assert task.constant_loss(same) <= task.untrained_loss(same, 0.5) + 1e-9


@narrow_task
def test_the_score_grows_with_the_logit(task):
    scores = task.score(with_read(task, tf.reshape(tf.linspace(-20.0, 20.0, 401), [-1, 1]))).numpy()
    assert scores.shape == (401,)
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= 0).all()
    assert scores[250] > scores[205]


@pytest.mark.parametrize("task", [task for task in TASKS if task.probability], ids=name_of)
def test_a_probability_is_a_sigmoid_trained_by_cross_entropy(task):
    logits, labels = tf.constant([[-3.0], [0.2], [4.0]]), tf.constant([1.0, 0.0, 1.0])
    scores = task.score(logits).numpy()
    np.testing.assert_allclose(scores, 1 / (1 + np.exp([3.0, -0.2, -4.0])), rtol=1e-5)
    np.testing.assert_allclose(task.losses(labels, logits), -np.log([scores[0], 1 - scores[1], scores[2]]), rtol=1e-4)
    assert task.untrained_loss(means(task), 0.25) != task.untrained_loss(means(task), 0.5)


@every_task
def test_only_a_probability_of_binary_labels_can_be_a_condition(task):
    other = {"other": {"kind": "binary", "given": "target"}}
    if task.binary_labels and task.probability:
        assert schema_of(task, **other).tasks["other"].given == "target"
    else:
        with pytest.raises(ValueError, match="'target' is not a binary task"):
            schema_of(task, **other)


@every_task
def test_properties_for_balancing_and_messages_are_valid(task):
    assert task.typical_loss > 0
    assert 0 < task.uncertainty_factor <= 1
    assert task.nothing_to_learn(known=10, nonzero=5) is None
    advice = task.divergence_advice("target")
    assert advice is None or "label" in advice


def test_schemas_are_read_without_tensorflow():
    code = "import sys, ranker.schema; print({'tensorflow', 'pandas', 'pyarrow'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.parametrize("task", [task for task in TASKS if not task.binary_labels], ids=name_of)
def test_scores_are_labels_that_a_student_may_be_taught(task):
    """A student's labels are another model's scores; those of binary tasks are soft, and not checked as labels are."""
    logits = tf.constant(np.random.default_rng(0).normal(size=(40, task.logits)), tf.float32)
    scores = task.score(with_read(task, logits)).numpy()
    assert task.taught().allowed(scores.astype(np.float64)).all()
