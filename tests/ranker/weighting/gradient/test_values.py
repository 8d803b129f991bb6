"""Each method's formula on small matrices."""

import numpy as np
import pytest
import tensorflow as tf

from ranker.schema import Binary
from ranker.weighting import WEIGHTINGS, Evidence, LabelFacts

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


def method_of(name, **options):
    return WEIGHTINGS[name](WEIGHTINGS[name].Options(**options))


def solved(method, gradients=GRADIENTS, losses=(1.0, 1.0)):
    return method.weights(tf.constant(losses, tf.float64), tf.constant(gradients @ gradients.T, tf.float64)).numpy()


def test_gradvac_without_memory_is_pcgrad():
    gradients = np.random.default_rng(8).normal(size=(4, 5))
    np.testing.assert_allclose(weights("gradvac", gradients), weights("pcgrad", gradients), rtol=1e-9)


def test_gradvac_reaches_the_usual_cosine():
    usual = np.array([[1.0, 0.0], [0.8, 0.6]])
    method = method_of("gradvac", beta=1.0)
    solved(method, usual)  # from now on a cosine of .8 is expected
    first, second = np.array([1.0, 0.0]), np.array([0.0, 2.0])
    taken = solved(method, np.stack([first, second]))
    # each gradient is turned until its cosine with the other is .8: g1 + a g2 with a * 2 / sqrt(1 + 4 a^2) = .8
    a = 2 / 3
    np.testing.assert_allclose(taken, [1 + 4 * a, 1 + a], rtol=1e-6)
    assert 2 * a / np.sqrt(1 + (2 * a) ** 2) == pytest.approx(0.8)


def test_gradnorm_by_hand():
    method = method_of("gradnorm", alpha=1.0, rate=0.1)
    gradients = np.diag([1.0, 3.0])
    np.testing.assert_array_equal(solved(method, gradients, (2.0, 1.0)), [1, 1])
    # norms 1 and 3, mean 2, both ratios 1: the first is below its target, the second above
    moved = np.array([1 + 0.1 * 1 / 2, 1 - 0.1 * 3 / 2])
    moved *= 2 / moved.sum()
    np.testing.assert_allclose(solved(method, gradients, (2.0, 0.25)), moved, rtol=1e-9)
    # ratios 1 and 1/4, relative 1.6 and .4: targets 1.6 m and .4 m
    m = (moved * [1, 3]).mean()
    slope = np.sign(moved * [1, 3] - m * np.array([1.6, 0.4])) * np.array([1, 3]) / 2
    again = moved - 0.1 * slope
    np.testing.assert_allclose(solved(method, gradients, (1.0, 1.0)), 2 * again / again.sum(), rtol=1e-9)


def test_gradnorm_settles_at_equal_norms():
    method = method_of("gradnorm", alpha=0.0, rate=0.01)
    for _ in range(600):
        taken = solved(method, np.diag([1.0, 4.0, 2.0]), (1.0, 1.0, 1.0))
    np.testing.assert_allclose(taken * [1, 4, 2], (taken * [1, 4, 2]).mean(), rtol=0.1)


def test_excess_mtl_by_hand():
    method = method_of("excess_mtl", rate=0.5)
    first = solved(method, np.diag([2.0, 1.0]))
    np.testing.assert_allclose(first, [1, 1])  # each excess is its own first value
    second = solved(method, np.diag([1.0, 1.0]))
    excess = np.array([1 / np.sqrt(5) / 2, 1 / np.sqrt(2)])
    exponents = np.exp(0.5 * excess)
    np.testing.assert_allclose(second, 2 * exponents / exponents.sum(), rtol=1e-9)


def test_weights_hold_between_comparisons():
    method = method_of("mgda", every=3)
    method.build({"a": Binary(kind="binary"), "b": Binary(kind="binary")})
    gramian = tf.constant(GRADIENTS @ GRADIENTS.T, tf.float32)
    asked = method.balance(tf.ones([2]), Evidence(lambda: gramian, lambda: None))
    np.testing.assert_array_equal(method.reuse().shared, asked.shared)
    np.testing.assert_array_equal(method.reuse().heads, [1, 1])


@pytest.mark.parametrize("every", [1, 3])
def test_cautions_of_representations(every):
    tasks = {name: Binary(kind="binary") for name in ("a", "b")}
    facts = LabelFacts([0.5, 0.5], [0.7, 0.7], [[100, 40], [40, 90]])
    method = method_of("pcgrad", every=every)
    (caution,) = method.cautions(tasks, facts)
    assert "only 44% of the rows" in caution
    assert not method_of("pcgrad", gradients_of="shared").cautions(tasks, facts)
    with pytest.raises(ValueError, match="no row has labels of both 'a' and 'b'"):
        method.cautions(tasks, facts._replace(overlap=[[100, 0], [0, 90]]))
