"""What every correction for position bias promises, in models of several architectures and funnels."""

from itertools import cycle, product

import numpy as np
import pytest
import tensorflow as tf

from ranker.funnels import FUNNELS
from ranker.model import served
from ranker.position import POSITION, POSITION_METHODS, PositionFacts
from ranker.weighting import WEIGHTINGS
from tests.ranker.models import batch_of, model_of

EVERY = pytest.mark.parametrize("name", list(POSITION_METHODS))
PLACES = 5


def method_of(name, rows, **options):
    kind = POSITION_METHODS[name]
    chosen = kind.Options(column="position", positions=PLACES, **options)
    chosen.check(rows.schema)
    method = kind(chosen, rows.schema.tasks, rows.encoder.layout)
    curve = np.array([0.5, 1.0, 0.6, 0.5, 0.4, 0.3])
    method.start(PositionFacts(dict.fromkeys(rows.schema.tasks, 0.5 * curve), lambda *_: curve))
    return method


def with_positions(rows):
    positions = np.random.default_rng(0).integers(-1, 8, len(rows.columns["item"]))
    return {**batch_of(rows), POSITION: tf.constant(np.where(positions == 0, 1, positions), tf.int32)}


SHARING = dict.fromkeys(["shared_bottom", "independent", "mmoe", "aitm", "stem"])
"""Architectures that differ in what their heads read, which is all that a correction comes to see of them."""


@pytest.fixture(scope="module")
def plain_model(rows):
    """A model that no test trains."""
    return model_of(rows, "shared_bottom")


@pytest.fixture
def model(plain_model):
    """The same without a correction; a test may give it one."""
    plain_model.position = None
    return plain_model


@pytest.mark.parametrize(
    ("name", "funnel", "architecture"),
    [(*pair, another) for pair, another in zip(product(POSITION_METHODS, FUNNELS), cycle(SHARING))],
)
def test_a_step_is_finite_and_reaches_every_variable_of_its_own(rows, name, architecture, funnel):
    model = model_of(rows, architecture, funnel=funnel)
    model.position = method_of(name, rows)
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.1))
    own = model.position.variables_of("click")
    before = [variable.numpy() for variable in own]
    found = model.train_step(with_positions(rows))
    assert np.isfinite(found["losses"]).all()
    for variable, value in zip(own, before, strict=True):
        assert (variable.numpy() != value).any(), variable.name
    assert {v.ref() for v in own} <= {v.ref() for v in model.head_variables}
    assert model.position.variables_of("watch") == []


@EVERY
@pytest.mark.parametrize("weighting", ["uncertainty", "pcgrad", "famo"])
def test_balancing_methods_take_it(rows, name, weighting):
    kind = WEIGHTINGS[weighting]
    model = model_of(rows, "shared_bottom", weighting=kind(kind.Options()))
    model.position = method_of(name, rows)
    model.compile(optimizer=tf.keras.optimizers.legacy.SGD(0.1))
    assert np.isfinite(model.train_step(with_positions(rows))["losses"]).all()


@EVERY
def test_scores_do_not_depend_on_positions(rows, model, name):
    batch = batch_of(rows)
    plain = model(batch).numpy()
    model.position = method_of(name, rows)
    np.testing.assert_array_equal(model(with_positions(rows)), plain)
    assert POSITION not in served(model).input_signature[0]


@EVERY
def test_rows_without_positions_have_the_losses_of_served_scores(rows, model, name):
    batch = batch_of(rows)
    plain = model.compute_loss(batch)
    model.position = method_of(name, rows)
    np.testing.assert_array_equal(model.compute_loss(batch), plain)
    assert (np.array(model.compute_loss(with_positions(rows)))[0] != np.array(plain)[0]).all()


@EVERY
def test_all_rows_at_the_first_place_are_as_without_a_correction(rows, model, name):
    options = {"dropout": 0.0} if "dropout" in POSITION_METHODS[name].Options.model_fields else {}
    batch = batch_of(rows)
    plain = model.compute_loss(batch)
    model.position = method_of(name, rows, **options)
    first = tf.ones([len(rows.columns["item"])], tf.int32)
    np.testing.assert_allclose(model.compute_loss({**batch, POSITION: first}, training=True), plain, rtol=1e-5)


@EVERY
def test_unlabelled_rows_change_nothing(rows, model, name):
    batch = with_positions(rows)
    model.position = method_of(name, rows)
    half = {n: array[:32] for n, array in batch.items()}
    known = tf.concat([batch["known"][:32], tf.zeros_like(batch["known"][32:])], axis=0)
    np.testing.assert_allclose(model.compute_loss({**batch, "known": known}), model.compute_loss(half), rtol=1e-5)
    nothing = {**batch, "known": tf.zeros_like(batch["known"])}
    np.testing.assert_array_equal(model.compute_loss(nothing), np.zeros(3))


@EVERY
def test_tasks_with_given_are_affected_through_their_condition_alone(rows, name):
    method = method_of(name, rows)
    assert method.affected == ("click",)
    with pytest.raises(ValueError, match="tasks: 'clck' is not a task; did you mean 'click'"):
        method_of(name, rows, tasks=["clck"])
