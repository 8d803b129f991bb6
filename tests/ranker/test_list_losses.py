from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from ranker.funnels import FUNNELS
from ranker.model import INPUTS
from ranker.rank_losses import LISTS, RANK_LOSSES
from ranker.schema import Schema
from ranker.weighting import WEIGHTINGS
from tests.ranker.models import architecture, assemble, each, layout

ROWS = 12


def schema_of(loss, weight=0.5):
    listed = {"name": loss, "weight": weight}
    return Schema.model_validate(
        {
            "candidate": {"item": {"kind": "categorical"}},
            "tasks": {
                "click": {"kind": "binary", "rank_loss": listed},
                "buy": {"kind": "binary", "given": "click", "rank_loss": listed},
                "watch": {"kind": "regression", "given": "click"},
                "grade": {"kind": "relevance"}
                if RANK_LOSSES[loss].binary
                else {"kind": "relevance", "rank_loss": loss},
                "stars": {
                    "kind": "ordinal",
                    "levels": [1, 2, 4],
                    **({} if RANK_LOSSES[loss].binary else {"rank_loss": loss}),
                },
            },
        }
    )


def batch(keys):
    random = np.random.default_rng(0)
    arrays = {}
    for name, width in zip(INPUTS, layout().widths(), strict=True):
        ids = name.endswith("ids")
        values = random.integers(0, 9, (ROWS, width)) if ids else random.normal(size=(ROWS, width))
        arrays[name] = tf.constant(values, tf.int32 if ids else tf.float32)
    clicked = random.integers(0, 2, ROWS)
    labels = [
        clicked,
        clicked * random.integers(0, 2, ROWS),
        clicked * random.uniform(0, 9, ROWS),
        random.integers(0, 5, ROWS),
        random.choice([1, 2, 4], ROWS),
    ]
    known = np.ones((ROWS, 5))
    known[:2, 3] = 0
    arrays |= {"labels": tf.constant(np.stack(labels, axis=1), tf.float32), "known": tf.constant(known, tf.float32)}
    return arrays | {LISTS: tf.constant(keys, tf.int64)}


def model_of(schema, funnel="esmm"):
    tf.keras.utils.set_random_seed(0)
    bottom = partial(architecture, "shared_bottom")
    model = assemble(schema, layout(), bottom, "none", WEIGHTINGS["static"](), funnel)
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.05))
    return model


@pytest.mark.parametrize(("loss", "funnel"), list(each(RANK_LOSSES, FUNNELS)))
def test_list_losses_train_in_every_funnel(loss, funnel):
    """With every architecture and weighting they train in tests/ranker/test_task_logits.py."""
    model = model_of(schema_of(loss), funnel)
    rows = batch(np.arange(ROWS) % 4)  # the rows of key 0 are in no list
    assert np.isfinite(model.train_step(rows)["losses"]).all()
    losses = np.array(model.compute_loss(rows))
    assert np.isfinite(losses).all()
    assert losses[3] > 0
    served = model({n: a for n, a in rows.items() if n in INPUTS}).numpy()
    assert served.shape == (ROWS, 5)
    assert np.isfinite(served).all()


def test_the_loss_of_a_task_is_the_mixture_of_its_own_and_of_its_lists():
    keys = np.arange(ROWS) % 3 + 1
    mixed, alone, lists = (
        np.array(model_of(schema_of("softmax", weight)).compute_loss(batch(keys))) for weight in (0.25, 1e-9, 1.0)
    )
    np.testing.assert_allclose(mixed[:2], 0.75 * alone[:2] + 0.25 * lists[:2], rtol=1e-5)
    np.testing.assert_allclose(mixed[2:], alone[2:], rtol=1e-5)


def test_list_losses_learn_the_order_of_what_is_served():
    # Under esmm, the score of a conditional task is the impression's probability: its list loss is the softmax of that.
    keys = np.ones(ROWS)
    model, rows = model_of(schema_of("softmax", 1.0)), batch(keys)
    scores = model({n: a for n, a in rows.items() if n in INPUTS}).numpy()
    labels = rows["labels"].numpy()
    losses = np.array(model.compute_loss(rows))
    for task in (0, 1):
        odds = scores[:, task] / (1 - scores[:, task])
        expected = -(labels[:, task] * np.log(odds / odds.sum())).sum() / labels[:, task].sum()
        np.testing.assert_allclose(losses[task], expected, rtol=1e-4)


def test_the_further_head_of_jrc_is_trained_and_not_served():
    model = model_of(schema_of("jrc"))
    assert model.funnel.heads[-2:] == ("click.mean_logit", "buy.mean_logit")
    rows = batch(np.arange(ROWS) % 3 + 1)
    own = model.architecture.heads[-2].trainable_variables
    before = [variable.numpy() for variable in own]
    model.train_step(rows)
    assert any((after.numpy() != value).any() for after, value in zip(own, before, strict=True))


def test_a_batch_without_lists_is_an_error():
    rows = batch(np.ones(ROWS))
    del rows[LISTS]
    with pytest.raises(ValueError, match=r"click: a batch without 'lists' has no list loss"):
        model_of(schema_of("softmax")).compute_loss(rows)
