import numpy as np
import pytest
import tensorflow as tf

from ranker.tasks import TASK_KINDS
from training.data.batches import EncodedWriter
from training.distillation.targets import inverse, targets

KINDS = {
    "binary": ({"kind": "binary"}, np.linspace(0.27, 0.29, 101)),
    "plain": ({"kind": "regression"}, np.linspace(-4000.0, 9000.0, 101)),
    "log1p": ({"kind": "regression", "transform": "log1p", "loss": "huber"}, np.linspace(0.1, 40.0, 101)),
    "expected level": ({"kind": "ordinal"}, np.linspace(0.2, 4.9, 101)),
    "weighted": ({"kind": "regression", "loss": "weighted_logistic"}, np.linspace(0.1, 40.0, 101)),
    "weighted by zeros": (
        {"kind": "regression", "loss": "weighted_logistic", "negatives": "zeros"},
        np.linspace(0.1, 40.0, 101),
    ),
}


def task_of(name):
    options, scores = KINDS[name]
    return TASK_KINDS[options["kind"]].model_validate(options).taught(), scores.astype(np.float32)


@pytest.mark.parametrize("name", KINDS)
def test_a_logit_is_found_for_every_score(name):
    task, scores = task_of(name)
    logits = inverse(task, scores)
    np.testing.assert_allclose(task.score(tf.constant(logits[:, None])).numpy(), scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_of_a_score_is_least_at_its_logit(name):
    task, scores = task_of(name)
    logits = inverse(task, scores)
    least = task.losses(tf.constant(scores), tf.constant(logits[:, None])).numpy()
    for step in (-0.5, 0.5):
        moved = (logits + step * logits.std())[:, None]
        assert (task.losses(tf.constant(scores), tf.constant(moved)).numpy() > least).all()


def test_every_objective_has_as_much_to_learn_whatever_its_spread(tmp_path):
    tasks, columns = zip(*(task_of(name) for name in KINDS), strict=True)
    labels = np.stack(columns, axis=1)
    writer = EncodedWriter(tmp_path / "rows")
    writer.write({"labels": labels[:50]})
    writer.write({"labels": labels[50:]})
    for task, column, target in zip(tasks, columns, targets(tasks, writer.close()), strict=True):
        logits = inverse(task, column)
        assert target.mean == pytest.approx(logits.mean(), rel=1e-4)
        assert target.scale == pytest.approx(logits.std(), rel=1e-3)
        weights = task.loss_weights(tf.constant(column))
        weights = np.ones(len(column)) if weights is None else weights.numpy()

        def loss(values, task=task, column=column, weights=weights):
            each = task.losses(tf.constant(column), tf.constant(values[:, None])).numpy()
            return float(np.average(each.astype(np.float64), weights=weights))

        learnt = loss(np.full_like(column, target.mean)) - loss(logits)
        assert learnt * target.weight == pytest.approx(1.0, rel=0.02)


def test_scores_that_do_not_vary_have_weight_one(tmp_path):
    task, _ = task_of("binary")
    writer = EncodedWriter(tmp_path / "rows")
    writer.write({"labels": np.full((20, 1), 0.3, dtype=np.float32)})
    (target,) = targets([task], writer.close())
    assert target.weight == 1.0
    assert target.scale == pytest.approx(0.0, abs=1e-6)
