"""Values of each method, computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.position import POSITION, Additive, Multiplicative, PositionFacts, Propensity
from ranker.position.base import GAIN
from ranker.position.propensity import weighed
from ranker.schema import Schema
from tests.ranker.models import SCHEMA, layout

TASKS = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {"watch": {"kind": "regression"}, "click": {"kind": "binary"}},
    }
).tasks
CLICK = 1
RATES = np.array([0.3, 0.4, 0.2, 0.1])
EXAMINATION = np.array([0.6, 1.0, 0.5, 0.05])
LOGITS = [tf.constant([7.0, 7, 7, 7]), tf.constant([0.0, 1.0, -2.0, 3.0])]
POSITIONS = tf.constant([1, 2, 9, -1])
"""The first, the second, one that shares the third, and an unknown one."""


def made(kind, **options):
    method = kind(kind.Options(column="position", positions=3, **options), TASKS, layout())
    method.start(PositionFacts({"click": RATES, "watch": RATES}, lambda *_: EXAMINATION))
    return method


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def logit(p):
    return np.log(p) - np.log1p(-np.asarray(p))


def seen(method, logits=LOGITS):
    return [each.numpy() for each in method.seen(logits, method.places(POSITIONS), {})]


@pytest.mark.parametrize("kind", [Additive, Multiplicative, Propensity])
def test_late_positions_share_the_last_place_and_others_count_from_the_first(kind):
    places = tf.constant([-1, 3, 4, 5, 6, 1000])
    assert made(kind, first=3).places(places).numpy().tolist() == [0, 1, 2, 3, 3, 3]
    assert made(kind, first=3).options.places(places.numpy()).tolist() == [0, 1, 2, 3, 3, 3]


@pytest.mark.parametrize("kind", [Multiplicative, Propensity])
def test_only_unconditional_clicks_are_examination_times_relevance(kind):
    def check(task, **options):
        kind.Options(column="position", tasks=[task], **options).check(SCHEMA)

    check("click")
    with pytest.raises(ValueError, match="'buy' is given 'click', whose examination it has already"):
        check("buy")
    with pytest.raises(ValueError, match="'watch' is of kind regression; this method needs binary tasks"):
        check("watch")
    Additive.Options(column="position", tasks=["buy", "watch"]).check(SCHEMA)


@pytest.mark.parametrize("kind", [Additive, Multiplicative, Propensity])
def test_other_tasks_logits_stay_as_they_are(kind):
    np.testing.assert_array_equal(seen(made(kind))[0], LOGITS[0])


def test_additive_starts_with_the_log_odds_of_rates():
    forgetting = seen(made(Additive))[CLICK] - LOGITS[CLICK]
    np.testing.assert_allclose(forgetting, logit([0.4, 0.2, 0.1, 0.3]) - logit(0.3), atol=1e-5)
    exact = seen(made(Additive, dropout=0.0))[CLICK] - LOGITS[CLICK]
    np.testing.assert_allclose(exact, logit([0.4, 0.2, 0.1, 0.3]) - logit(0.4), atol=1e-5)


def test_additive_shifts_values_too():
    method = made(Additive, tasks=["watch"], dropout=0.0)
    np.testing.assert_array_equal(seen(method)[0], LOGITS[0])  # nothing is known of a value's scale
    method.towers["watch"].table.assign([0.0, 1.0, -1.0, 2.0])
    np.testing.assert_allclose(seen(method)[0] - LOGITS[0], GAIN * np.array([0, -2, 1, -1]), atol=1e-5)


def test_additive_shifts_the_logit_and_not_the_number_that_a_task_reads():
    method = made(Additive, dropout=0.0)
    logits = [LOGITS[0], tf.stack([LOGITS[CLICK], LOGITS[0]], axis=1)]
    np.testing.assert_allclose(seen(method, logits)[CLICK], np.stack([seen(method)[CLICK], LOGITS[0]], axis=1))


def test_forgotten_positions_shift_nothing():
    method = made(Additive, dropout=0.9)
    places = tf.ones([4000], tf.int32)
    shift = method.seen([tf.zeros([4000])] * 2, places, {}, training=True)[CLICK].numpy()
    assert np.mean(shift == 0) == pytest.approx(0.9, abs=0.02)
    np.testing.assert_allclose(shift[shift != 0], logit(0.4) - logit(0.3), atol=1e-5)
    again = method.seen([tf.zeros([4000])] * 2, places, {}, training=True)[CLICK].numpy()
    assert (again != shift).any()


def test_context_bends_the_curve_and_the_reference_stays_0():
    method = made(Additive, dropout=0.0, context=["user"])
    assert [side for side, _ in method.fields] == ["context"]
    ids = np.zeros((4, layout().context.id_width), np.int32)
    ids[:, method.fields[0][1]] = [0, 1, 2, 3]
    batch = {"context_ids": tf.constant(ids)}
    for place in (1, 2):
        shift = method.seen([tf.zeros([4])] * 2, tf.fill([4], place), batch)[CLICK].numpy()
        assert (np.ptp(shift) > 0) == (place == 2)
        np.testing.assert_allclose(shift, logit(0.2) - logit(0.4) if place == 2 else 0.0, atol=0.1)


def test_multiplicative_is_the_product_of_examination_and_relevance():
    method = made(Multiplicative)
    np.testing.assert_allclose(GAIN * method.tables["click"].numpy()[2:], logit([0.5, 0.25]), rtol=1e-4)
    expected = np.array([1.0, 0.5, 0.25, 0.75]) * sigmoid(LOGITS[CLICK])
    np.testing.assert_allclose(sigmoid(seen(method)[CLICK]), expected, rtol=1e-5)


def test_its_cross_entropy_is_the_direct_formula_with_finite_gradients_at_extremes():
    method = made(Multiplicative)
    logits = tf.constant([-80.0, -5.0, 0.0, 5.0, 80.0])
    for label in (0.0, 1.0):
        for place in (1, 2, 3):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                found = method.seen([logits, logits], tf.fill([5], place), {})[CLICK]
                losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.fill([5], label), logits=found)
            z, e = np.float64(logits), [1.0, 0.5, 0.25][place - 1]
            missed = np.logaddexp(np.log1p(-e) if e < 1 else -np.inf, -z)  # of 1 - e p, times 1 + exp(-z)
            direct = np.logaddexp(0, -z) - (np.log(e) if label else missed)
            np.testing.assert_allclose(losses, direct, rtol=1e-4, atol=1e-6)
            assert np.isfinite(tape.gradient(losses, logits)).all()


def test_an_item_at_the_first_place_that_is_surely_relevant_is_still_learnt_from():
    method, logits = made(Multiplicative), tf.constant([80.0])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = method.seen([logits, logits], tf.constant([1]), {})[CLICK]
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.zeros([1]), logits=found)
    np.testing.assert_allclose(tape.gradient(loss, logits), [1.0])


def test_clicks_are_weighed_by_the_inverse_of_examination_up_to_the_clip():
    places = tf.constant([1, 2, 3, 0])
    np.testing.assert_allclose(made(Propensity).inverse("click", places), [1, 2, 20, 1 / 0.6], rtol=1e-5)
    np.testing.assert_allclose(made(Propensity, clip=3).inverse("click", places), [1, 2, 3, 1 / 0.6], rtol=1e-5)


def test_the_weighed_loss_is_that_of_relevance_on_average():
    z, e, r = 0.7, 0.25, 0.4
    of = {click: float(weighed(tf.constant([z]), tf.constant([click / e]), tf.ones([1]))[0]) for click in (0.0, 1.0)}
    plain = (1 / e) * np.log1p(np.exp(-z)) + abs((1 - 1 / e) * np.log1p(np.exp(z)))
    assert of[1.0] == pytest.approx(plain, rel=1e-5)  # alone, its negative term would fall without end
    logits = tf.fill([1000], z)
    clicks = tf.constant((np.arange(1000) < 1000 * e * r) / e, tf.float32)
    mean = float(tf.reduce_mean(weighed(logits, clicks, tf.ones([1000]))))
    assert mean == pytest.approx(r * np.log1p(np.exp(-z)) + (1 - r) * np.log1p(np.exp(z)), rel=1e-5)


def test_a_batch_of_clicks_learnt_by_heart_has_no_negative_loss():
    logits, clicks = tf.fill([3], 50.0), tf.fill([3], 20.0)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = tf.reduce_mean(weighed(logits, clicks, tf.ones([3])))
    assert float(loss) > 0
    assert (tape.gradient(loss, logits).numpy() > 0).all()  # smaller logits lower it


def test_errors_are_of_task_logits_and_losses_of_later_steps_of_seen_ones():
    method = made(Propensity)
    batch = {POSITION: POSITIONS, "labels": tf.constant([[0.0, 1], [0, 0], [0, 0], [0, 0]])}
    logits, errors = method.trained(LOGITS, batch, tf.ones([4, 2]), lambda task, logit: logit * 0 + task)
    np.testing.assert_allclose(sigmoid(logits[CLICK]), [1, 0.5, 0.05, 0.6] * sigmoid(LOGITS[CLICK]), rtol=1e-4)
    np.testing.assert_array_equal(errors(0, logits[0]), np.zeros(4))
    clicks = np.array([1, 0, 0, 0])
    z = np.float64(LOGITS[CLICK])
    direct = clicks * np.logaddexp(0, -z) + (1 - clicks) * np.logaddexp(0, z)
    np.testing.assert_allclose(errors(CLICK, logits[CLICK]), direct, rtol=1e-5)


def test_the_average_of_members_is_their_mean():
    methods = [made(Multiplicative) for _ in range(3)]
    target, *members = methods
    for value, member in zip((1.0, 3.0), members, strict=True):
        member.tables["click"].assign(tf.fill([4], value))
    target.tables["click"].assign(tf.fill([4], np.nan))
    for number, member in enumerate(members):
        target.average_in(member, number)
    np.testing.assert_allclose(target.tables["click"], np.full(4, 2.0))
