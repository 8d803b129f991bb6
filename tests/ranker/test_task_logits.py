from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from ranker.fitted_tasks import fitted_schema
from ranker.funnels import FUNNELS
from ranker.heads import task_of
from ranker.model import INPUTS
from ranker.rank_losses import LISTS
from ranker.schema import Schema
from ranker.task_logits import as_columns, by_task, extra_logits, with_numbers
from ranker.weighting import WEIGHTINGS
from tests.ranker.models import TRAINABLE, architecture, assemble, each, layout

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {
            "click": {"kind": "binary"},
            "rating": {"kind": "ordinal", "levels": [1, 2, 4], "given": "click"},
            "buy": {"kind": "binary", "given": "click"},
            "stars": {"kind": "ordinal"},
        },
    }
)
ALL = Schema.model_validate(
    {
        "context": {"user_number": {"kind": "numeric"}},
        "candidate": {"item_number": {"kind": "numeric"}},
        "tasks": {
            "click": {"kind": "binary", "rank_loss": "jrc"},
            "rating": {"kind": "ordinal", "levels": [1, 2, 4], "given": "click", "rank_loss": "softmax"},
            "buy": {"kind": "binary", "given": "click", "rank_loss": "pairwise_logistic"},
            "spend": {"kind": "ziln", "given": "click"},
            "watch": {"kind": "quantile_of_duration", "duration": "item_number", "quantiles": 5},
            "read": {"kind": "discretised", "duration": "user_number", "buckets": 3},
            "kept": {"kind": "multiclass", "classes": [1, 2, 4], "values": [0, 1, 5], "given": "click"},
            "grade": {"kind": "relevance", "rank_loss": "lambdarank"},
        },
    }
)
AMOUNTS = np.array([0.0, 0.0, 1.0, 2.0, 5.0, 9.0] * 50)
ROWS = 12


def test_the_further_logits_of_a_task_are_extra_heads_of_it():
    heads = extra_logits(SCHEMA.tasks)
    assert heads == ("rating.logit_2", "stars.logit_2", "stars.logit_3", "stars.logit_4")
    assert [task_of(head) for head in heads] == ["rating", *["stars"] * 3]


def test_logits_are_gathered_by_task():
    heads = [tf.fill([2], float(place)) for place in range(9)]
    click, rating, buy, stars, other = by_task(heads, SCHEMA.tasks)
    assert [as_columns(logits).numpy().tolist()[0] for logits in (click, rating, buy, stars, other)] == [
        [0],
        [1, 4],
        [2],
        [3, 5, 6, 7],
        [8],
    ]


def test_what_a_task_reads_follows_its_logits():
    logits = [tf.constant([1.0, 2.0]), tf.constant([[3.0, 4.0], [5.0, 6.0]]), tf.constant([7.0, 8.0])]
    first, second, third = with_numbers(logits, {0: tf.constant([9.0]), 1: tf.constant([10.0, 11.0])})
    assert first.numpy().tolist() == [[1, 9], [2, 9]]
    assert second.numpy().tolist() == [[3, 4, 10], [5, 6, 11]]
    assert third is logits[2]


def inputs():
    random = np.random.default_rng(0)
    arrays = {}
    for name, width in zip(INPUTS, layout().widths(), strict=True):
        ids = name.endswith("ids")
        values = random.integers(0, 9, (ROWS, width)) if ids else random.normal(size=(ROWS, width))
        arrays[name] = tf.constant(values, tf.int32 if ids else tf.float32)
    return arrays


def model_with_state(name="shared_bottom", weighting="static", funnel="esmm"):
    """A model of all kinds; those that are fitted are so on numbers like those of ``inputs``."""
    random = np.random.default_rng(0)
    states = {
        name: task.fit(AMOUNTS, random.normal(size=len(AMOUNTS)), np.ones(len(AMOUNTS)))
        for name, task in ALL.tasks.items()
        if task.is_fitted
    }
    tf.keras.utils.set_random_seed(0)
    whole = replace(layout(), tasks=states)
    schema, options = fitted_schema(ALL, whole), WEIGHTINGS[weighting]()
    return assemble(schema, whole, lambda heads: architecture(name, heads), "none", options, funnel)


def rows_of(amounts, known=1.0):
    """Inputs with labels: amounts [N] of all tasks of amounts; of the first rows, the rating is unknown."""
    clicked = np.arange(ROWS) % 2
    levels = np.resize([1, 2, 4], ROWS)
    of_task = [clicked, levels, clicked * (levels == 1), amounts, amounts, amounts, levels, levels - 1]
    labels = np.stack(of_task, axis=1)
    mask = np.full(labels.shape, known)
    mask[:3, 1] = 0
    arrays = {"labels": tf.constant(labels, tf.float32), "known": tf.constant(mask, tf.float32)}
    return {**inputs(), **arrays, LISTS: tf.constant(np.arange(ROWS) % 4, tf.int64)}  # rows of key 0 are in no list


def all_else():
    """Each architecture, weighting and funnel; once every architecture was there, the smallest does for the others."""
    combined = enumerate(each(dict.fromkeys(TRAINABLE), WEIGHTINGS, FUNNELS))
    return [(name if i < len(TRAINABLE) else "shared_bottom", *others) for i, (name, *others) in combined]


@pytest.mark.parametrize(("name", "weighting", "funnel"), all_else())
def test_all_kinds_and_list_losses_train_with_all_else(name, weighting, funnel):
    model, rows = model_with_state(name, weighting, funnel), rows_of(np.resize(AMOUNTS, ROWS))
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.05))
    assert np.isfinite(model.train_step(rows)["losses"]).all()
    click, rating, _, spend, watch, read, kept, grade = np.moveaxis(model(inputs()).numpy(), 1, 0)
    assert ((rating >= 0.999 * click) & (rating <= 4.001 * click)).all()
    assert ((spend >= 0) & (spend <= 9.001 * click)).all()
    assert ((watch >= 0) & (watch <= 9.001)).all()
    assert ((read >= 0) & (read <= 9.001)).all()
    assert ((kept >= 0) & (kept <= 5.001 * click)).all()
    assert np.isfinite(grade).all()


def test_labels_of_any_kind_give_finite_steps():
    model = model_with_state()
    model.compile(optimizer=tf.keras.optimizers.legacy.Adam(0.05))
    for rows in (
        rows_of(np.zeros(ROWS)),
        rows_of(np.full(ROWS, 5.0)),
        rows_of(np.zeros(ROWS), known=0.0),
        rows_of(np.full(ROWS, 1e30)),
    ):
        assert np.isfinite(model.train_step(rows)["losses"]).all()
        assert np.isfinite(model.compute_loss(rows)).all()
    assert np.isfinite(model(inputs())).all()


def test_a_context_row_serves_all_candidates():
    model, rows = model_with_state(), inputs()
    one = {name: array[:1] if name.startswith("context") else array for name, array in rows.items()}
    repeated = {
        name: tf.repeat(array[:1], ROWS, axis=0) if name.startswith("context") else array
        for name, array in rows.items()
    }
    np.testing.assert_allclose(model(one), model(repeated), rtol=1e-5)
