"""Each method's formula on small matrices."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.weighting import WEIGHTINGS

GRADIENTS = np.array([[1.0, 0.0], [-1.0, 1.0]])


def weights(name, gradients=GRADIENTS, **options):
    kind = WEIGHTINGS[name]
    gramian = tf.constant(gradients @ gradients.T, tf.float64)
    losses = tf.ones([len(gradients)], tf.float64)
    return kind(kind.Options(**options)).weights(losses, gramian).numpy()


def test_normalized_gradients():
    np.testing.assert_allclose(weights("normalized_gradients"), [1, 1 / np.sqrt(2)])


@pytest.mark.parametrize("solver", ["exact", "frank_wolfe", "averaging", "softmax"])
def test_every_solver_of_mgda_comes_near_the_least_norm(solver):
    # norms 1 and 2, product -1: w1 = (2 + 1) / (1 + 2 + 2) = 3/5
    tolerance = {"exact": 1e-9, "frank_wolfe": 1e-9, "averaging": 1e-2, "softmax": 1e-4}[solver]
    np.testing.assert_allclose(weights("mgda", solver=solver, iterations=2000), [0.6, 0.4], atol=tolerance)


def test_pcgrad_of_two():
    # g1 + g2 / 2 and g2 + g1
    np.testing.assert_allclose(weights("pcgrad"), [2, 1.5])


def test_pcgrad_is_the_mean_over_orders():
    gradients = np.array([[1.0, 0.2, 0.0], [-1.0, 1.0, 0.3], [-0.5, -1.0, 1.0]])

    def projected(order, task):
        g = gradients[task].copy()
        for other in order:
            g -= min(g @ gradients[other], 0) / (gradients[other] @ gradients[other]) * gradients[other]
        return g

    orders = {0: [(1, 2), (2, 1)], 1: [(0, 2), (2, 0)], 2: [(0, 1), (1, 0)]}
    expected = sum(np.mean([projected(o, task) for o in orders[task]], axis=0) for task in orders)
    np.testing.assert_allclose(weights("pcgrad", gradients) @ gradients, expected, atol=1e-12)


def test_imtl_g_has_equal_projections():
    gradients = np.random.default_rng(0).normal(size=(4, 6))
    w = weights("imtl_g", gradients)
    projections = gradients @ (w @ gradients) / np.linalg.norm(gradients, axis=1)
    assert w.sum() == pytest.approx(1)
    np.testing.assert_allclose(projections, projections[0], rtol=1e-8)


def test_nash_gains_are_inverse_weights():
    gradients = np.random.default_rng(1).normal(size=(4, 6))
    w = weights("nash_mtl", gradients)
    np.testing.assert_allclose(gradients @ gradients.T @ w, 1 / w, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 10.0])
def test_fair_gains(alpha):
    gradients = 7 * np.random.default_rng(2).normal(size=(3, 6))
    w = weights("fairgrad", gradients, alpha=alpha)
    np.testing.assert_allclose(gradients @ gradients.T @ w, w ** (-1 / alpha), rtol=1e-6)


def test_aligned_gradients_are_orthogonal_and_of_one_length():
    gradients = np.random.default_rng(3).normal(size=(3, 6))
    scaled = gradients / np.sqrt(np.abs(gradients @ gradients.T).max())
    steps = [weights("aligned_mtl", gradients, preference={str(i): 0.0 for i in range(3) if i != k}) for k in range(3)]
    aligned = np.stack(steps) @ scaled
    least = np.linalg.svd(scaled, compute_uv=False).min()
    np.testing.assert_allclose(aligned @ aligned.T, least**2 * np.eye(3), atol=1e-9)


@pytest.mark.parametrize("c", [0.0, 0.4, 0.9])
def test_cagrad_is_the_best_of_the_ball(c):
    gradients = np.random.default_rng(4).normal(size=(3, 4))
    mean = gradients.mean(axis=0)
    taken = weights("cagrad", gradients, c=c) @ gradients
    assert np.linalg.norm(taken - mean) <= c * np.linalg.norm(mean) * (1 + 1e-6) + 1e-9
    directions = np.random.default_rng(5).normal(size=(50_000, 4))
    ball = mean + c * np.linalg.norm(mean) * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert (gradients @ taken).min() >= (ball @ gradients.T).min(axis=1).max() - 1e-6


def test_dualproj_is_the_nearest_unopposed_direction():
    gradients = np.random.default_rng(6).normal(size=(3, 3))
    taken, mean = weights("dualproj", gradients) @ gradients, gradients.mean(axis=0)
    points = mean + np.random.default_rng(7).normal(size=(200_000, 3))
    inside = points[(points @ gradients.T >= 0).all(axis=1)]
    assert np.linalg.norm(taken - mean) <= np.linalg.norm(inside - mean, axis=1).min() + 1e-9


def test_upgrad_projects_each_gradient():
    # g1 and g2 oppose each other: each loses its part along the other
    np.testing.assert_allclose(weights("upgrad"), [(1 + 1) / 2, (0.5 + 1) / 2], atol=1e-9)
