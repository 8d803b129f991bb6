import numpy as np
import pytest
import tensorflow as tf

from ranker.funnels import FUNNELS
from ranker.losses import TaskErrors
from ranker.schema import Schema
from training.data.batches import EncodedWriter
from training.data.label_facts import label_facts

SCHEMA = {
    "candidate": {"item": {"kind": "categorical"}},
    "tasks": {
        "click": {"kind": "binary"},
        "buy": {"kind": "binary", "given": "click"},
        "watch": {"kind": "regression", "transform": "log1p"},
        "stay": {"kind": "regression", "loss": "huber", "huber_delta": 1.0},
    },
}
LABELS = np.array([[1, 1, 0, 2], [1, 0, np.expm1(2), 0], [0, 0, 0, 4], [0, 0, np.expm1(2), 2]], dtype=np.float32)
KNOWN = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 1]], dtype=np.float32)


def facts(tmp_path, funnel):
    writer = EncodedWriter(tmp_path / "rows")
    for part in (slice(0, 3), slice(3, 4)):
        writer.write({"labels": LABELS[part], "known": KNOWN[part]})
    return label_facts(writer.close(), FUNNELS[funnel](Schema.model_validate(SCHEMA)))


def entropy(share, predicted):
    return -share * np.log(predicted) - (1 - share) * np.log(1 - predicted)


def test_over_the_entire_space(tmp_path):
    found = facts(tmp_path, "esmm")
    # watch: 0, 2, 0 in logarithms; stay: 4 and 2, of variance 1, mean square 10 which Huber counts in part
    expected = [entropy(0.5, 0.5), entropy(0.25, 0.25), 8 / 9, 0.5]
    np.testing.assert_allclose(found.constant, expected, rtol=1e-6)
    untrained = [np.log(2), entropy(0.25, 0.25), 4 / 3, np.sqrt(10) - 0.5]
    np.testing.assert_allclose(found.untrained, untrained, rtol=1e-6)
    assert found.overlap == [[4, 4, 3, 2], [4, 4, 3, 2], [3, 3, 3, 1], [2, 2, 1, 2]]


def test_where_conditions_hold(tmp_path):
    found = facts(tmp_path, "masked")
    assert found.constant[1] == pytest.approx(np.log(2))
    assert found.untrained[1] == pytest.approx(np.log(2))
    assert found.overlap[1] == [2, 2, 2, 0]


WEIGHTED = {
    "candidate": {"item": {"kind": "categorical"}},
    "tasks": {
        "click": {"kind": "binary", "weight": "1 + click"},
        "watch": {"kind": "regression", "loss": "weighted_logistic"},
        "stay": {"kind": "regression", "loss": "weighted_logistic", "negatives": "zeros"},
        "seconds": {"kind": "regression", "weight": "1 + click"},
    },
}


def test_the_constant_loss_is_the_least_that_a_constant_logit_has(tmp_path):
    random = np.random.default_rng(0)
    rows = 200
    labels = random.exponential(2.0, (rows, 4)) * (random.random((rows, 4)) < 0.4)
    labels[:, 0] = labels[:, 0] > 0
    chunk = {"labels": labels, "known": random.random((rows, 4)) < 0.8, "weights": random.integers(0, 4, (rows, 4))}
    chunk = {name: array.astype(np.float32) for name, array in chunk.items()}
    writer = EncodedWriter(tmp_path / "rows")
    writer.write(chunk)
    funnel = FUNNELS["masked"](Schema.model_validate(WEIGHTED))
    errors = TaskErrors(funnel.kinds)
    given = tf.constant(chunk["labels"])
    weights = errors.row_weights(given, tf.constant(chunk["known"])) * chunk["weights"]

    @tf.function(autograph=False)
    def losses(logit):
        logits = [tf.fill([rows], logit)] * 4
        return funnel.losses(
            logits, tf.constant(chunk["labels"]), weights, lambda i, x: errors(chunk["labels"], x, task=i)
        )

    least = np.min(
        [np.stack(losses(tf.constant(logit))) for logit in np.linspace(-4, 4, 801, dtype=np.float32)], axis=0
    )
    found = label_facts(writer.close(), funnel)
    np.testing.assert_allclose(found.constant, least, rtol=1e-4)
    counts = weights.numpy() > 0
    assert found.overlap == (counts.T.astype(int) @ counts.astype(int)).tolist()
