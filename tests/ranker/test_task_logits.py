import numpy as np
import pytest
import tensorflow as tf

from ranker.funnels import FUNNELS
from ranker.heads import task_of
from ranker.model import INPUTS
from ranker.schema import Schema
from ranker.task_logits import as_columns, by_task, extra_logits
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


def batch():
    random = np.random.default_rng(0)
    arrays = {}
    for name, width in zip(INPUTS, layout().widths(), strict=True):
        ids = name.endswith("ids")
        values = random.integers(0, 9, (ROWS, width)) if ids else random.normal(size=(ROWS, width))
        arrays[name] = tf.constant(values, tf.int32 if ids else tf.float32)
    clicked = random.integers(0, 2, ROWS)
    labels = [
        clicked,
        random.choice([1, 2, 4], ROWS),
        clicked * random.integers(0, 2, ROWS),
        random.integers(1, 6, ROWS),
    ]
    known = np.ones((ROWS, 4))
    known[:3, 1] = 0
    arrays |= {"labels": tf.constant(np.stack(labels, axis=1), tf.float32), "known": tf.constant(known, tf.float32)}
    return arrays


@pytest.mark.parametrize(("name", "weighting", "funnel"), list(each(dict.fromkeys(TRAINABLE), WEIGHTINGS, FUNNELS)))
def test_tasks_of_several_logits_train_with_all_else(name, weighting, funnel):
    tf.keras.utils.set_random_seed(0)
    model = assemble(SCHEMA, layout(), lambda heads: architecture(name, heads), "none", WEIGHTINGS[weighting](), funnel)
    model.compile(optimizer=tf.keras.optimizers.Adam(0.05))
    rows = batch()
    assert np.isfinite(model.train_step(rows)["losses"]).all()
    assert np.isfinite(model.compute_loss(rows)).all()
    click, rating, _, stars = np.moveaxis(model({n: a for n, a in rows.items() if n in INPUTS}).numpy(), 1, 0)
    assert ((rating >= 0.999 * click) & (rating <= 4.001 * click)).all()
    assert ((stars >= 1) & (stars <= 5)).all()
