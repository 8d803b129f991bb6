import numpy as np
import pytest
import tensorflow as tf

from ranker.architectures import ARCHITECTURES
from ranker.layers.interaction import INTERACTIONS
from ranker.model import INPUTS, served
from tests.ranker.models import batch_of, model_of


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_one_context_row_and_joined_rows_score_alike(rows, name):
    model = model_of(rows, name)
    columns = {n: c[:1] if n in ("user", "city", "age", "history") else c for n, c in rows.columns.items()}
    context = {n: columns[n] for n in ("user", "city", "age", "history")}
    candidates = {n: columns[n] for n in ("item", "tags", "length", "vector")}
    size = len(candidates["item"])
    joined = {
        n: np.repeat(np.asarray(c, dtype=object), size, axis=0).tolist() for n, c in context.items() if n != "history"
    }
    joined["history"] = [context["history"][0]] * size
    split = rows.encoder.encode(context, candidates)
    whole = rows.encoder.encode(joined, candidates)
    scores = [model(dict(zip(INPUTS, map(tf.constant, packed), strict=True))).numpy() for packed in (split, whole)]
    close = {"atol": 1e-6, "rtol": 5e-6}  # sums of 32-bit floats in another order; amounts are larger than 1
    np.testing.assert_allclose(*scores, **close)
    np.testing.assert_allclose(
        served(model)(dict(zip(INPUTS, map(tf.constant, split), strict=True)))["scores"], scores[0], **close
    )


@pytest.mark.parametrize("interaction", [name for name in INTERACTIONS if name != "dots"])
def test_probabilities_and_products(rows, interaction):
    scores = model_of(rows, "shared_bottom", interaction=interaction)(batch_of(rows)).numpy()
    assert scores.shape == (64, 3)
    assert ((scores[:, :2] > 0) & (scores[:, :2] < 1)).all()
    assert (scores[:, 1] < scores[:, 0]).all()  # buy happens behind a click
    assert (scores[:, 2] >= 0).all()


def test_variables_are_shared_or_one_tasks(rows):
    model = model_of(rows)
    split = [v.ref() for v in [*model.shared_variables, *model.head_variables]]
    assert len(split) == len(set(split)) == len(model.trainable_variables)


def test_keras_fit_trains_it(rows):
    model = model_of(rows, "shared_bottom")
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.02))
    data = tf.data.Dataset.from_tensors(batch_of(rows)).repeat(40)
    before = np.array(model.test_step(batch_of(rows))["losses"])
    model.fit(data, verbose=0)
    assert (np.array(model.test_step(batch_of(rows))["losses"]) < before).all()


def test_weights_of_one_change_nothing_and_twice_the_weight_is_the_row_twice(rows):
    model, batch = model_of(rows, "shared_bottom"), batch_of(rows)
    plain = model.compute_loss(batch)
    ones = tf.ones_like(batch["known"])
    np.testing.assert_allclose(model.compute_loss({**batch, "weights": ones}), plain, rtol=1e-6)
    heavy = tf.tensor_scatter_nd_update(ones, [[5]], [[2.0, 2.0, 2.0]])
    order = tf.constant([5, *range(64)])
    twice = model.compute_loss({name: tf.gather(array, order) for name, array in batch.items()})
    np.testing.assert_allclose(model.compute_loss({**batch, "weights": heavy}), twice, rtol=1e-5)
