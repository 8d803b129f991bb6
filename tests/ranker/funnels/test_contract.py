import numpy as np
import pytest
import tensorflow as tf

from ranker.funnels import FUNNELS, product_logit
from ranker.losses import TaskErrors
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "buy": {"kind": "binary", "given": "cart"},
            "click": {"kind": "binary"},
            "cart": {"kind": "binary", "given": "click"},
            "spent": {"kind": "regression", "given": "buy"},
        },
    }
)
LOGITS = tf.constant([[0.3, -1.0, 2.0, 5.0], [-2.0, 0.5, 0.1, 7.0]])


def losses(funnel, logits, labels, known):
    errors = TaskErrors(list(SCHEMA.tasks.values()))
    return funnel.losses(logits, labels, known, lambda task, logit: errors(labels, logit, task=task))


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


@pytest.mark.parametrize("name", list(FUNNELS))
def test_scores_are_products_along_the_chain(name):
    buy, click, cart = (sigmoid(LOGITS[:, i]) for i in range(3))
    expected = np.stack([click * cart * buy, click, click * cart, 1 * click * cart * buy * LOGITS[:, 3]], axis=1)
    np.testing.assert_allclose(FUNNELS[name](SCHEMA).scores(tf.unstack(LOGITS, axis=1)), expected, rtol=1e-5)


@pytest.mark.parametrize("name", list(FUNNELS))
def test_rows_with_unknown_labels_change_nothing(name):
    funnel = FUNNELS[name](SCHEMA)
    heads = 4 + len(funnel.extra_heads)
    random = np.random.default_rng(0)
    logits = [tf.constant(random.normal(size=6), tf.float32) for _ in range(heads)]
    labels = tf.constant(random.integers(0, 2, (6, 4)), tf.float32)
    known = tf.constant([[1.0] * 4] * 4 + [[0.0] * 4] * 2)
    whole = losses(funnel, logits, labels, known)
    part = losses(funnel, [logit[:4] for logit in logits], labels[:4], known[:4])
    np.testing.assert_allclose(whole, part, rtol=1e-5)
    np.testing.assert_array_equal(losses(funnel, logits, labels, tf.zeros([6, 4])), np.zeros(4))


@pytest.mark.parametrize("name", list(FUNNELS))
def test_gradients_reach_every_head(name):
    funnel = FUNNELS[name](SCHEMA)
    heads = 4 + len(funnel.extra_heads)
    logits = [tf.constant([0.1 * i, -0.2, 0.3]) for i in range(heads)]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.add_n(losses(funnel, logits, tf.ones([3, 4]), tf.ones([3, 4])))
    assert all(np.abs(g).min() > 0 for g in tape.gradient(total, logits))


def test_the_entire_space_trains_the_product():
    funnel = FUNNELS["esmm"](SCHEMA)
    labels, known = tf.constant([[0.0, 1, 1, 0], [1.0, 1, 1, 9]]), tf.ones([2, 4])
    buy, click, cart = (sigmoid(LOGITS[:, i]) for i in range(3))
    got = losses(funnel, tf.unstack(LOGITS, axis=1), labels, known)
    whole = click * cart * buy
    np.testing.assert_allclose(got[0], -np.mean([np.log(1 - whole[0]), np.log(whole[1])]), rtol=1e-5)
    np.testing.assert_allclose(got[2], -np.mean(np.log(click * cart)), rtol=1e-5)
    np.testing.assert_allclose(got[3], (LOGITS[1, 3] - 9) ** 2, rtol=1e-5)  # bought in the second row alone


def test_masking_counts_rows_within_the_condition():
    funnel = FUNNELS["masked"](SCHEMA)
    labels, known = tf.constant([[0.0, 1, 0, 0], [1.0, 1, 1, 9]]), tf.ones([2, 4])
    buy, _, cart = (sigmoid(LOGITS[:, i]) for i in range(3))
    got = losses(funnel, tf.unstack(LOGITS, axis=1), labels, known)
    np.testing.assert_allclose(got[0], -np.log(buy[1]), rtol=1e-5)  # in the cart in the second row alone
    np.testing.assert_allclose(got[2], -np.mean([np.log(1 - cart[0]), np.log(cart[1])]), rtol=1e-5)


@pytest.mark.parametrize("name", ["escm2_ips", "escm2_dr"])
def test_a_correction_requires_a_conditional_task(name):
    tasks = {"click": {"kind": "binary"}}
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    FUNNELS[name].Options().check(SCHEMA)
    with pytest.raises(ValueError, match="there is none"):
        FUNNELS[name].Options().check(schema)


def test_the_product_is_exact_where_probabilities_are_extreme():
    first = np.array([-80.0, -20, -1, 0, 1, 9])
    second = np.array([-3.0, 20, -1, 0, 60, 9])
    log_p = -np.logaddexp(0, -first) - np.logaddexp(0, -second)
    expected = log_p - np.log(-np.expm1(log_p))
    got = product_logit([tf.constant(first, tf.float32), tf.constant(second, tf.float32)])
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_gradients_stay_finite():
    logits = [tf.constant([-1e3, -50.0, 0.0, 50.0, 1e3]) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(product_logit(logits))
    assert all(np.isfinite(g).all() for g in tape.gradient(total, logits))


def drawn(funnel, rows=6):
    """Logits, labels that follow their conditions, and weights of random rows."""
    random = np.random.default_rng(1)
    logits = [tf.constant(random.normal(size=rows), tf.float32) for _ in range(4 + len(funnel.extra_heads))]
    buy, click, cart = random.integers(0, 2, (3, rows)) | 1 * (np.arange(rows) == 0)
    labels = np.stack([buy * cart * click, click, cart * click, buy * cart * click * 7.5], axis=1)
    return logits, tf.constant(labels, tf.float32), random.uniform(0.5, 2, (rows, 4)).astype(np.float32)


@pytest.mark.parametrize("name", list(FUNNELS))
def test_a_constant_weight_changes_nothing(name):
    funnel = FUNNELS[name](SCHEMA)
    logits, labels, weights = drawn(funnel)
    plain = losses(funnel, logits, labels, tf.constant(weights))
    scaled = losses(funnel, logits, labels, tf.constant(weights * np.float32([2, 3, 5, 7])))
    np.testing.assert_allclose(scaled, plain, rtol=1e-5)


@pytest.mark.parametrize("name", list(FUNNELS))
@pytest.mark.parametrize("task", range(4))
def test_doubling_a_weight_equals_repeating_the_row(name, task):
    funnel = FUNNELS[name](SCHEMA)
    logits, labels, weights = drawn(funnel)
    heavy = weights.copy()
    heavy[0, task] *= 2
    doubled = losses(funnel, logits, labels, tf.constant(heavy))
    rows = tf.constant([0, 0, 1, 2, 3, 4, 5])
    twice = losses(funnel, [tf.gather(x, rows) for x in logits], tf.gather(labels, rows), tf.gather(weights, rows))
    np.testing.assert_allclose(doubled[task], twice[task], rtol=1e-5)
    others = [i for i in range(4) if i != task]
    before = losses(funnel, logits, labels, tf.constant(weights))
    np.testing.assert_array_equal([doubled[i] for i in others], [before[i] for i in others])
    assert abs(float(doubled[task] - before[task])) > 1e-4


@pytest.mark.parametrize("name", list(FUNNELS))
def test_the_odds_of_a_weighted_logistic_regression_are_served(name):
    tasks = {
        "click": {"kind": "binary"},
        "watch": {"kind": "regression", "loss": "weighted_logistic", "given": "click"},
    }
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    logits = [tf.constant([0.0, 0.0, 0.0]), tf.constant([np.log(12.0), -3.0, 500.0], tf.float32)]
    scores = FUNNELS[name](schema).scores(logits)
    np.testing.assert_allclose(scores[:2, 1], [6, np.exp(-3) / 2], rtol=1e-5)
    assert np.isfinite(scores[2, 1])
