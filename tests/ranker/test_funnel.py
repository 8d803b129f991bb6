import numpy as np
import pytest
import tensorflow as tf

from ranker.funnel import FUNNELS, product_logit
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


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


@pytest.mark.parametrize("name", list(FUNNELS))
def test_scores_are_products_along_the_chain(name):
    buy, click, cart = (sigmoid(LOGITS[:, i]) for i in range(3))
    expected = np.stack([click * cart * buy, click, click * cart, 1 * click * cart * buy * LOGITS[:, 3]], axis=1)
    np.testing.assert_allclose(FUNNELS[name](SCHEMA).scores(tf.unstack(LOGITS, axis=1)), expected, rtol=1e-5)


def test_the_entire_space_trains_the_product():
    trained = FUNNELS["esmm"](SCHEMA).trained(tf.unstack(LOGITS, axis=1))
    trained = np.stack(trained, axis=1)
    buy, click, cart = (sigmoid(LOGITS[:, i]) for i in range(3))
    np.testing.assert_allclose(sigmoid(trained[:, 0]), click * cart * buy, rtol=1e-5)
    np.testing.assert_allclose(sigmoid(trained[:, 2]), click * cart, rtol=1e-5)
    np.testing.assert_array_equal(trained[:, [1, 3]], LOGITS.numpy()[:, [1, 3]])


def test_weights_of_rows_outside_and_inside_the_condition():
    labels = tf.constant([[0.0, 1, 1, 0], [1.0, 1, 1, 9], [0.0, 0, 0, 0]])
    known = tf.ones([3, 4])
    np.testing.assert_array_equal(
        FUNNELS["masked"](SCHEMA).weights(labels, known), [[1, 1, 1, 0], [1, 1, 1, 1], [0, 1, 0, 0]]
    )
    np.testing.assert_array_equal(
        FUNNELS["esmm"](SCHEMA).weights(labels, known), [[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    )


def test_the_product_is_exact_where_probabilities_are_extreme():
    first = np.array([-80.0, -20, -1, 0, 1, 9])
    second = np.array([-3.0, 20, -1, 0, 60, 9])
    log_p = -np.logaddexp(0, -first) - np.logaddexp(0, -second)
    expected = log_p - np.log(-np.expm1(log_p))
    got = product_logit([tf.constant(first, tf.float32), tf.constant(second, tf.float32)])
    np.testing.assert_allclose(got, expected, rtol=1e-3)


def test_its_gradients_stay_finite():
    logits = [tf.constant([-1e3, -50.0, 0.0, 50.0, 1e3]) for _ in range(2)]
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(product_logit(logits))
    assert all(np.isfinite(g).all() for g in tape.gradient(total, logits))
