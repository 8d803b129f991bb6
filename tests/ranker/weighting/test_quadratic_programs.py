"""Against projected gradient descent and scipy-free conditions of optimality."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.weighting.quadratic_programs import bounded_least_norm, power_equilibrium, simplex_quadratic


def gramian_of(seed, tasks=4, dimensions=5):
    gradients = np.random.default_rng(seed).normal(size=(tasks, dimensions))
    gramian = gradients @ gradients.T
    return gramian / np.abs(gramian).max()


@pytest.mark.parametrize("seed", range(10))
def test_bounded_least_norm_meets_the_conditions_of_optimality(seed):
    gramian, lower = gramian_of(seed), np.random.default_rng(seed).random((3, 4))
    v = bounded_least_norm(tf.constant(gramian), tf.constant(lower)).numpy()
    slope = v @ gramian
    assert (v >= lower - 1e-9).all()
    assert (slope >= -1e-7).all()  # no descent by growing a weight
    np.testing.assert_allclose(slope * (v - lower), 0, atol=1e-7)  # nor by shrinking one that is free


def test_bounded_least_norm_by_hand():
    gramian = tf.constant([[4.0, -1.0], [-1.0, 1.0]], tf.float64)
    v = bounded_least_norm(gramian, tf.constant([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], tf.float64))
    # v2 = v1 is best against v1 = 1; v1 = v2 / 4 against v2 = 1; both bounds hold at the half and half
    np.testing.assert_allclose(v, [[1, 1], [0.25, 1], [0.5, 0.5]], atol=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_simplex_quadratic_is_no_worse_than_any_point(seed):
    random = np.random.default_rng(seed)
    gramian, linear = gramian_of(seed), random.normal(size=4)

    def value(w):
        return w @ linear + 0.7 / 2 * np.einsum("...i,ij,...j", w, gramian, w)

    best = simplex_quadratic(tf.constant(gramian), tf.constant(linear), tf.constant(0.7, tf.float64)).numpy()
    assert best.sum() == pytest.approx(1)
    assert best.min() >= 0
    others = random.dirichlet(np.full(4, 0.5), size=20_000)
    assert value(best) <= value(others).min() + 1e-12
    slope = linear + 0.7 * gramian @ best
    assert slope[best > 1e-9].max() - slope.min() < 1e-7


@pytest.mark.parametrize("power", [0.1, 0.5, 1.0, 2.0])
def test_the_equilibrium_is_one(power):
    loads = np.array([1.0, 1.0, 0.1, 100.0, 1.0])
    for seed in range(8):
        gramian = gramian_of(seed, tasks=5, dimensions=6)
        w = power_equilibrium(tf.constant(gramian), power, tf.constant(loads)).numpy()
        assert w.min() > 0, f"seed {seed}"
        np.testing.assert_allclose(gramian @ w, loads * w**-power, rtol=1e-6, err_msg=f"seed {seed}")


def test_too_many_tasks_are_refused():
    with pytest.raises(ValueError, match="at most 12 tasks, got 13"):
        bounded_least_norm(tf.eye(13, dtype=tf.float64), tf.zeros([13], tf.float64))
