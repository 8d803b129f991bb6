"""Each method's objective on small losses."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary
from ranker.weighting import WEIGHTINGS

LOSSES = np.array([0.5, 2.0, 4.0])


def seed(name, losses=LOSSES, **options):
    method = WEIGHTINGS[name](WEIGHTINGS[name].Options(**options))
    method.build({f"t{i}": Binary(kind="binary") for i in range(len(losses))})
    return method.balance(tf.constant(losses, tf.float32), lambda: None)


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
