"""What every list loss promises; a new entry of ``RANK_LOSSES`` is tested here without further work."""

from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from ranker.rank_losses import RANK_LOSSES

every_loss = pytest.mark.parametrize("name", RANK_LOSSES)
ROWS = 24


def loss_of(name, **options):
    return RANK_LOSSES[name](RANK_LOSSES[name].Options(**options))


def drawn(seed=0):
    """Keys, logits, grades, weights and extra outputs [B] of four lists, in random order."""
    random = np.random.default_rng(seed)
    keys = random.permutation(np.repeat([11, 12, 13, 14], ROWS // 4))
    return {
        "keys": keys,
        "logits": random.normal(size=ROWS),
        "grades": random.integers(0, 2, ROWS),
        "weights": random.uniform(0.5, 2.0, ROWS),
        "extra": random.normal(size=ROWS),
    }


@cache
def compiled(name):
    """A graph of the loss and of its gradients: the same small ops are called hundreds of times."""
    loss = loss_of(name)

    def valued(arrays):
        watched = [arrays[key] for key in ("logits", "extra") if key in arrays]
        with tf.GradientTape() as tape:
            tape.watch(watched)
            found = loss.loss(**arrays)
        gradients = tape.gradient(found, watched, unconnected_gradients="zero")
        return found, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return tf.function(valued, reduce_retracing=True, autograph=False)


def valued(name, rows):
    """The loss, and its gradients with respect to the logits and the extra outputs [B]."""
    arrays = {key: tf.constant(array, tf.int64 if key == "keys" else tf.float32) for key, array in rows.items()}
    if not RANK_LOSSES[name].extra_head:
        del arrays["extra"]
    found, gradients = compiled(name)(arrays)
    return float(found), [gradient.numpy() for gradient in gradients]


@every_loss
def test_the_loss_is_a_finite_number_of_at_least_0_whose_gradient_helps(name):
    rows = drawn()
    found, (gradient, *_) = valued(name, rows)
    assert found > 0
    better, _ = valued(name, rows | {"logits": rows["logits"] - 0.01 * gradient})
    assert better < found


@every_loss
def test_a_constant_added_to_the_logits_of_a_list_changes_nothing(name):
    rows = drawn()
    shifted = rows | {"logits": rows["logits"] + 3.0 * (rows["keys"] == 12)}
    if RANK_LOSSES[name].extra_head:  # one logit is half above and half below the extra output
        shifted |= {"extra": rows["extra"] + 1.5 * (rows["keys"] == 12)}
        assert valued(name, shifted)[0] == pytest.approx(valued(name, rows)[0], rel=1e-5)
    else:
        assert valued(name, shifted)[0] == pytest.approx(valued(name, rows)[0], rel=1e-5)


@every_loss
def test_the_order_of_rows_and_the_unit_of_weights_change_nothing(name):
    rows, order = drawn(), np.random.default_rng(1).permutation(ROWS)
    mixed = {key: array[order] for key, array in rows.items()}
    assert valued(name, mixed)[0] == pytest.approx(valued(name, rows)[0], rel=1e-5)
    doubled = rows | {"weights": 2 * rows["weights"]}
    assert valued(name, doubled)[0] == pytest.approx(valued(name, rows)[0], rel=1e-5)


@every_loss
@pytest.mark.parametrize("out", ["no weight", "no list"])
def test_rows_that_do_not_count_change_nothing(name, out):
    rows = drawn()
    few = {key: array[: ROWS // 2] for key, array in rows.items()}
    aside = np.arange(ROWS) >= ROWS // 2
    rows["weights" if out == "no weight" else "keys"] = np.where(
        aside, 0, rows["weights" if out == "no weight" else "keys"]
    )
    found, gradients = valued(name, rows)
    assert found == pytest.approx(valued(name, few)[0], rel=1e-5)
    assert all((gradient[aside] == 0).all() for gradient in gradients)


@every_loss
@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("no row counts", {"weights": np.zeros(ROWS)}),
        ("no row has a list", {"keys": np.zeros(ROWS)}),
        ("lists of one row", {"keys": np.arange(1, ROWS + 1)}),
    ],
)
def test_batches_without_a_list_have_no_loss_and_finite_gradients(name, what, change):
    found, gradients = valued(name, drawn() | change)
    assert found == 0, what
    assert all((gradient == 0).all() for gradient in gradients)


@every_loss
@pytest.mark.parametrize("grades", [np.zeros(ROWS), np.ones(ROWS)], ids=["all 0", "all 1"])
def test_lists_of_equal_grades_teach_no_order(name, grades):
    found, gradients = valued(name, drawn() | {"grades": grades})
    assert np.isfinite(found)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    if not RANK_LOSSES[name].binary:  # those of two classes ask each row which of the list's rows it is
        assert found == 0


@every_loss
@pytest.mark.parametrize("logits", [np.zeros(ROWS), 1e4 * (np.arange(ROWS) % 3 - 1.0)], ids=["ties", "far apart"])
def test_ties_and_extreme_logits_have_finite_gradients(name, logits):
    found, gradients = valued(name, drawn() | {"logits": logits})
    assert np.isfinite(found)
    assert found >= 0
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@every_loss
def test_training_the_logits_alone_orders_every_list(name):
    rows = drawn()
    for _ in range(40):
        _, gradients = valued(name, rows)
        rows["logits"] = rows["logits"] - 0.4 * gradients[0] / (np.abs(gradients[0]).max() + 1e-9)
    for key in np.unique(rows["keys"]):
        own = rows["keys"] == key
        shown, hidden = rows["logits"][own & (rows["grades"] == 1)], rows["logits"][own & (rows["grades"] == 0)]
        if len(shown) and len(hidden):
            assert shown.min() > hidden.max()


@every_loss
def test_a_weight_outside_0_to_1_is_an_error(name):
    for weight in (0.0, 1.5):
        with pytest.raises(ValueError, match="weight"):
            loss_of(name, weight=weight)
