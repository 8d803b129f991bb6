import numpy as np
import tensorflow as tf

from ranker.funnels import FUNNELS
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "candidate": {"item": {"kind": "categorical"}},
        "tasks": {"click": {"kind": "binary"}, "buy": {"kind": "binary", "given": "click"}},
    }
)
# click probabilities 1/2, 1/4, 1/2; the first two were clicked, the first bought
CLICK = tf.constant([0.0, -np.log(3.0), 0.0], tf.float32)
BUY = tf.constant([0.4, -0.3, 0.9])
LABELS = tf.constant([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
ERRORS = np.array([0.2, 0.7, 0.5])


def risk(name, logits, **options):
    funnel = FUNNELS[name](SCHEMA, FUNNELS[name].Options(**options))
    return float(funnel.risk(logits, LABELS, tf.ones(3), 1, tf.constant(ERRORS, tf.float32)))


def test_inverse_propensity_by_hand():
    np.testing.assert_allclose(risk("escm2_ips", [CLICK, BUY]), (0.2 * 2 + 0.7 * 4) / 3, rtol=1e-6)


def test_the_floor_bounds_a_rows_weight():
    np.testing.assert_allclose(risk("escm2_ips", [CLICK, BUY], floor=0.4), (0.2 * 2 + 0.7 * 2.5) / 3, rtol=1e-6)


def test_doubly_robust_by_hand():
    logits = np.array([-1.0, 0.5, 0.0])
    imputed = np.log1p(np.exp(logits))
    inverse = np.array([2.0, 4.0, 0.0])
    expected = np.mean(imputed + inverse * (ERRORS - imputed) + inverse * (ERRORS - imputed) ** 2)
    got = risk("escm2_dr", [CLICK, BUY, tf.constant(logits, tf.float32)])
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_correct_imputations_make_the_risk_independent_of_the_propensity():
    logits = tf.constant(np.log(np.expm1(ERRORS)), tf.float32)
    for click in (CLICK, CLICK + 1.0):
        np.testing.assert_allclose(risk("escm2_dr", [click, BUY, logits]), ERRORS.mean(), rtol=1e-5)


def test_no_gradient_passes_through_the_propensity():
    funnel = FUNNELS["escm2_ips"](SCHEMA)
    with tf.GradientTape() as tape:
        tape.watch(CLICK)
        total = funnel.risk([CLICK, BUY], LABELS, tf.ones(3), 1, tf.constant(ERRORS, tf.float32))
    assert tape.gradient(total, CLICK) is None


def test_the_correction_is_added_to_the_entire_space_loss():
    def loss(name, **options):
        funnel = FUNNELS[name](SCHEMA, FUNNELS[name].Options(**options))
        return funnel.losses([CLICK, BUY, BUY], LABELS, tf.ones([3, 2]), lambda _, logit: logit**2)

    plain, corrected = loss("esmm"), loss("escm2_ips", correction=0.5)
    assert float(plain[0]) == float(corrected[0])
    extra = 0.5 * float(tf.reduce_mean(BUY**2 * tf.constant([2.0, 4.0, 0.0])))
    np.testing.assert_allclose(corrected[1] - plain[1], extra, rtol=1e-5)


def test_the_imputation_learns_the_error_even_where_the_floor_binds():
    funnel = FUNNELS["escm2_dr"](SCHEMA, FUNNELS["escm2_dr"].Options(floor=0.5))
    logit = tf.constant(np.log(np.expm1([0.2, 0.7, 9.0])), tf.float32)  # right where the condition holds
    with tf.GradientTape() as tape:
        tape.watch(logit)
        risk = funnel.risk([CLICK, BUY, logit], LABELS, tf.ones(3), 1, tf.constant(ERRORS, tf.float32))
    np.testing.assert_allclose(tape.gradient(risk, logit), np.zeros(3), atol=1e-6)


def test_a_conditional_regression_is_corrected_by_propensities():
    tasks = {**SCHEMA.model_dump()["tasks"], "spent": {"kind": "regression", "given": "click"}}
    schema = Schema.model_validate({"candidate": {"item": {"kind": "categorical"}}, "tasks": tasks})
    funnel = FUNNELS["escm2_dr"](schema)
    assert funnel.extra_heads == ("buy.imputation",)
    labels, errors = tf.concat([LABELS, tf.ones([3, 1])], axis=1), tf.constant(ERRORS, tf.float32)
    risk = funnel.risk([CLICK, BUY, BUY, BUY], labels, tf.ones(3), 2, errors)
    np.testing.assert_allclose(risk, (0.2 * 2 + 0.7 * 4) / 3, rtol=1e-6)
