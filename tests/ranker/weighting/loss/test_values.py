"""Each method's objective on small losses."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary
from ranker.weighting import WEIGHTINGS, Evidence, LabelFacts

LOSSES = np.array([0.5, 2.0, 4.0])
TASKS = {f"t{i}": Binary(kind="binary") for i in range(3)}
FACTS = LabelFacts([0.5, 1.0, 4.0], [0.7, 0.7, 8.0], [[9] * 3] * 3)


def NOT_ASKED():  # noqa: N802
    pytest.fail("a method that needs only losses asked for more")


def steps(method, losses, quality=None):
    """Weights of each of several steps [S, T]."""
    evidence = Evidence(NOT_ASKED, (lambda: tf.constant(quality, tf.float32)) if quality is not None else NOT_ASKED)
    return np.array([method.balance(tf.constant(row, tf.float32), evidence).shared for row in losses])


def made(name, facts=FACTS, **options):
    method = WEIGHTINGS[name](WEIGHTINGS[name].Options(**options))
    method.build(TASKS, facts)
    return method


def seed(name, losses=LOSSES, **options):
    method = WEIGHTINGS[name](WEIGHTINGS[name].Options(**options))
    method.build({f"t{i}": Binary(kind="binary") for i in range(len(losses))})
    return method.balance(tf.constant(losses, tf.float32), Evidence(NOT_ASKED, NOT_ASKED))


def test_current_inverse():
    np.testing.assert_allclose(seed("current_inverse").shared, 1 / LOSSES)
    np.testing.assert_array_equal(seed("current_inverse", np.array([0.0, 2.0])).shared, [0, 0.5])


@pytest.mark.parametrize("gamma", [-3.0, -1.0, 0.5, 1.0, 2.0, 50.0])
def test_generalized_mean(gamma):
    mean = (LOSSES**gamma).mean() ** (1 / gamma)
    expected = (LOSSES / mean) ** (gamma - 1) / 3
    np.testing.assert_allclose(seed("generalized_mean", gamma=gamma).shared, expected, rtol=1e-4, atol=1e-7)


def test_the_limits_of_the_generalized_mean():
    geometric = np.prod(LOSSES) ** (1 / 3)
    np.testing.assert_allclose(seed("generalized_mean", gamma=0).shared, geometric / 3 / LOSSES, rtol=1e-5)
    np.testing.assert_array_equal(seed("generalized_mean", gamma="max").shared, [0, 0, 1])
    np.testing.assert_array_equal(seed("generalized_mean", gamma="min").shared, [1, 0, 0])
    half = seed("generalized_mean", np.array([0.0, 2.0, 8.0]), gamma=0).shared
    np.testing.assert_allclose(half, [0, 4 / 2 / 2, 4 / 2 / 8], rtol=1e-5)


def test_smooth_tchebycheff():
    exponents = np.exp((2 * LOSSES - 0.5 * 2) / 1.5)
    expected = 2 * exponents / exponents.sum()
    got = seed("smooth_tchebycheff", mu=1.5, preference=2.0, ideal=0.5).shared
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_imtl_l():
    balance = seed("imtl_l")
    np.testing.assert_allclose(balance.shared, np.ones(3))
    np.testing.assert_allclose(balance.own[0], LOSSES - 1)  # 0 where the scaled loss is 1


def test_initial_inverse_measures_then_holds():
    method = made("initial_inverse", batches=2)
    weights = steps(method, [LOSSES, 3 * LOSSES, 0.1 * LOSSES])
    np.testing.assert_allclose(weights, [1 / LOSSES, 0.5 / LOSSES, 0.5 / LOSSES], rtol=1e-6)


def test_initial_inverse_in_theory():
    weights = steps(made("initial_inverse", initial="theory"), [LOSSES, LOSSES])
    np.testing.assert_allclose(weights, [[1 / 0.7, 1 / 0.7, 1 / 8]] * 2, rtol=1e-6)
    without = steps(made("initial_inverse", facts=None, initial="theory"), [LOSSES])
    np.testing.assert_allclose(without, [[1 / np.log(2)] * 3], rtol=1e-6)


def test_prior_inverse():
    np.testing.assert_allclose(steps(made("prior_inverse"), [LOSSES]), [[2, 1, 0.25]])


def test_dwa_by_hand():
    # windows of 2: means [1, 1, 1] then [.5, 1, 2]: ratios .5, 1, 2
    losses = [[0.5, 1.5, 1], [1.5, 0.5, 1], [0.5, 1, 2], [0.5, 1, 2], [9, 9, 9]]
    weights = steps(made("dwa", window=2, temperature=2.0), losses)
    exponents = np.exp(np.array([0.5, 1, 2]) / 2)
    np.testing.assert_allclose(weights[:4], np.ones((4, 3)), rtol=1e-6)
    np.testing.assert_allclose(weights[4], 3 * exponents / exponents.sum(), rtol=1e-6)


def test_dwa_leaves_out_steps_without_labels():
    losses = [[1, 1, 1], [0, 1, 1], [0, 1, 1], [2, 1, 1], [9, 9, 9]]
    exponents = np.exp(np.array([2, 1, 1]) / 2)
    np.testing.assert_allclose(steps(made("dwa", window=2), losses)[4], 3 * exponents / exponents.sum(), rtol=1e-6)


@pytest.mark.parametrize("name", ["dwa", "dtp"])
def test_scaling_by_priors(name):
    quality = [0.7] * 3 if name == "dtp" else None
    plain, scaled = (steps(made(name, scale_by=by), [LOSSES], quality) for by in ("none", "prior"))
    np.testing.assert_allclose(scaled, plain / FACTS.constant, rtol=1e-6)


@pytest.mark.parametrize("name", ["dwa", "dtp"])
def test_unlike_losses_are_cautioned_against(name):
    unlike = FACTS._replace(constant=[0.02, 1.0, 4.0])
    (caution,) = made(name).cautions(TASKS, unlike)
    assert "'t2' of about 4 and 't0' of 0.02" in caution
    assert "scale_by: prior" in caution
    assert not made(name, scale_by="prior").cautions(TASKS, unlike)
    assert not made(name).cautions(TASKS, FACTS)


def test_dtp_by_hand():
    method = made("dtp", gamma={"t1": 2.0}, momentum=0.5)
    (weights,) = steps(method, [LOSSES], quality=[0.9, 0.6, 0.5])
    k = np.array([0.7, 0.55, 0.5])
    np.testing.assert_allclose(weights, -((1 - k) ** [1, 2, 1]) * np.log(k), rtol=1e-5)


def test_dtp_by_likelihood():
    (weights,) = steps(made("dtp", kpi="likelihood", momentum=0.0), [LOSSES])
    np.testing.assert_allclose(weights, (1 - np.exp(-LOSSES)) * LOSSES, rtol=1e-4)


def test_random_weights():
    weights = steps(made("random"), np.tile(LOSSES, (400, 1)))
    np.testing.assert_allclose(weights.sum(axis=1), 3, rtol=1e-5)
    logits = np.log(weights)
    apart = logits[:, 0] - logits[:, 1]  # normal, of deviation sqrt(2)
    assert apart.mean() == pytest.approx(0, abs=0.25)
    assert apart.std() == pytest.approx(np.sqrt(2), rel=0.15)
    again, other = (steps(made("random", seed=seed), np.tile(LOSSES, (20, 1))) for seed in (0, 1))
    np.testing.assert_array_equal(weights[:20], again)
    assert not np.allclose(weights[:20], other)


def test_famo_by_hand():
    method = made("famo", rate=0.1, decay=0.5)
    (weights,) = steps(method, [LOSSES])
    z = np.full(3, 1 / 3)
    np.testing.assert_allclose(weights, (z / LOSSES) / (z / LOSSES).sum(), rtol=1e-6)
    method.after(tf.constant(LOSSES * [0.5, 1.0, 1.0], tf.float32))
    fell = np.array([np.log(2), 0, 0])
    first = -0.1 * (z * (fell - (z * fell).sum()))
    (weights,) = steps(method, [LOSSES])
    z = np.exp(first) / np.exp(first).sum()
    np.testing.assert_allclose(weights, (z / LOSSES) / (z / LOSSES).sum(), rtol=1e-6)
    assert weights[0] / weights[1] < LOSSES[1] / LOSSES[0]  # what fell counts for less than before
    method.after(tf.constant(LOSSES, tf.float32))  # nothing fell: only the pull to even weights is left
    np.testing.assert_allclose(method._logits, first - 0.1 * 0.5 * first, rtol=1e-5)
