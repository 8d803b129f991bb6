"""Steps that train some tasks only: the rest, and the optimiser's memory of it, is not touched by a bit."""

from itertools import islice

import numpy as np
import pytest
import tensorflow as tf

from ranker.step_plan import ALL, Turn, cycled
from ranker.weighting import MGDA, WEIGHTINGS
from tests.ranker.models import batch_of, model_of


def trained(rows, turns, name):
    """A model after a full step, a snapshot, and the model after the turns."""
    model = model_of(rows, name)
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.01))
    batch = batch_of(rows)
    model.train_step(batch)
    before = state(model)
    for turn in turns:
        model.train_step(batch, turn)
    return model, before, state(model)


def state(model):
    """Every variable and every moment, by variable."""
    slots = {v.ref(): [model.optimizer.get_slot(v, name) for name in ("m", "v")] for v in model.trainable_variables}
    return {ref: [ref.deref().numpy(), *(slot.numpy() for slot in slots[ref])] for ref in slots}


def same(before, after, variables):
    return [all(np.array_equal(*pair) for pair in zip(before[v.ref()], after[v.ref()], strict=True)) for v in variables]


@pytest.mark.parametrize("name", ["shared_bottom", "ple", "cross_stitch"])
def test_an_alternating_step_leaves_other_heads_and_their_moments(rows, name):
    model, before, after = trained(rows, [Turn(frozenset({"buy"}))] * 2, name)
    click, buy, watch = (head.trainable_variables for head in model.architecture.heads)
    assert all(same(before, after, [*click, *watch]))
    assert not any(same(before, after, [v for v in buy if v.shape.rank == 2]))
    tables = list(model.embedding.tables.values())
    assert not any(same(before, after, tables))


@pytest.mark.parametrize("frozen", ["embeddings", "shared", "click"])
def test_what_is_frozen_stays(rows, frozen):
    model, before, after = trained(rows, [Turn(frozen=frozenset({frozen}))] * 2, "mmoe")
    tables = {t.ref() for t in model.embedding.tables.values()}
    parts = {
        "embeddings": list(model.embedding.tables.values()),
        "shared": [v for v in model.shared_variables if v.ref() not in tables],
        "click": model.architecture.heads[0].trainable_variables,
    }
    for part, variables in parts.items():
        kernels = [v for v in variables if v.shape.rank > 1]
        assert same(before, after, kernels) == [part == frozen] * len(kernels)


@pytest.mark.parametrize("compared", ["shared", "shared_with_embeddings"])
def test_what_is_frozen_is_not_compared(rows, compared):
    model = model_of(rows, "shared_bottom", MGDA(MGDA.Options(gradients_of=compared)))
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.0))
    batch = batch_of(rows)

    def gramian(*frozen):
        return model.train_step(batch, Turn(frozen=frozenset(frozen)))["gramian"].numpy()

    tables, dense = gramian("shared") if compared != "shared" else 0.0, gramian("embeddings")
    np.testing.assert_allclose(gramian(), tables + dense, rtol=1e-4, atol=1e-9)
    assert np.abs(dense).max() > 0


@pytest.mark.parametrize("name", list(WEIGHTINGS))
def test_every_method_trains_all_tasks_and_then_some_of_them(rows, name):
    model = model_of(rows, "shared_bottom", WEIGHTINGS[name]())
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.1))
    batch = {part: array[:8] for part, array in batch_of(rows).items()}  # few rows are learnt in few steps
    logs = [model.train_step(batch) for _ in range(3)]  # not compiled, which takes longer than so few steps
    before = state(model)
    logs.append(model.train_step(batch, Turn(frozenset({"click", "watch"}))))
    after = state(model)
    first, *_, last = (float(tf.reduce_sum(log["losses"])) for log in logs)
    assert last < 0.8 * first
    assert all(set(log) >= {"losses", "weights"} for log in logs)
    assert all(same(before, after, model.architecture.heads[1].trainable_variables))
    assert all(np.isfinite(value).all() for values in after.values() for value in values)


def test_the_method_is_asked_in_each_so_many_steps():
    kinds = list(islice(cycled((ALL, Turn(frozenset({"a"}))), 3), 7))
    assert [turn.compare for turn in kinds] == [True, False, False, True, False, False, True]
    assert [turn.tasks is None for turn in kinds] == [True, False] * 3 + [True]
    assert list(islice(cycled((ALL,), 3, first=2), 2)) == [ALL._replace(compare=False), ALL]


@pytest.mark.parametrize(
    ("gradients_of", "eager"), [("representation", True), ("shared", True), ("shared_with_embeddings", False)]
)
def test_fit_reuses_weights_in_between(rows, gradients_of, eager):
    kind = WEIGHTINGS["pe_ltr"]
    model = model_of(rows, "shared_bottom", kind(kind.Options(every=3, gradients_of=gradients_of)))
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.01), run_eagerly=eager)
    seen = []
    record = tf.keras.callbacks.LambdaCallback(on_train_batch_end=lambda _batch, logs: seen.append(logs))
    model.fit(tf.data.Dataset.from_tensors(batch_of(rows)).repeat(7), verbose=0, callbacks=[record])
    assert ["gramian" in logs for logs in seen] == [True, False, False, True, False, False, True]
    weights = np.array([logs["weights"] for logs in seen])
    np.testing.assert_array_equal(weights[[1, 2]], weights[[0, 0]])
    np.testing.assert_array_equal(weights[[4, 5]], weights[[3, 3]])
    assert not np.allclose(weights[3], weights[0])
