from itertools import chain, combinations, product

import numpy as np
import pytest
import tensorflow as tf

from ranker.weighting.min_norm import min_norm, project_to_simplex, relaxed_min_norm


def solved_by_enumeration(gramian, lower):
    """Solve the KKT system of every set of weights at their bounds; the best feasible solution is the optimum."""
    tasks = len(gramian)
    best, value = None, np.inf
    subsets = chain.from_iterable(combinations(range(tasks), k) for k in range(1, tasks + 1))
    for free in map(list, subsets):
        held = [i for i in range(tasks) if i not in free]
        size = len(free)
        system = np.zeros((size + 1, size + 1))
        system[:size, :size] = gramian[np.ix_(free, free)]
        system[:size, size] = system[size, :size] = 1
        right = np.append(-gramian[np.ix_(free, held)] @ lower[held], 1 - lower[held].sum())
        solution = np.linalg.lstsq(system, right, rcond=None)[0][:size]
        weights = lower.copy()
        weights[free] = solution
        feasible = abs(weights.sum() - 1) < 1e-9 and (weights >= lower - 1e-9).all()
        if feasible and weights @ gramian @ weights < value:
            best, value = weights, weights @ gramian @ weights
    return best, value


def drawn(tasks, seed, kind):
    random = np.random.default_rng([tasks, seed])
    gradients = random.normal(size=(tasks, 8)) + (2.0 if kind == "aligned" else 0.0)
    if kind == "scaled":
        gradients *= 10.0 ** random.uniform(-3, 3, size=(tasks, 1))
    if kind == "duplicate" and tasks > 1:
        gradients[-1] = gradients[0]
    if kind == "opposite" and tasks > 1:
        gradients[-1] = -gradients[0]
    if kind == "flat":
        gradients = gradients[:, :2]
    return gradients @ gradients.T


KINDS = ["plain", "aligned", "scaled", "duplicate", "opposite", "flat"]


@pytest.mark.parametrize("tasks", [1, 2, 3, 4, 6])
def test_the_exact_solution_is_that_of_enumerated_active_sets(tasks):
    solve = tf.function(min_norm, autograph=False)  # a graph for all problems of one size
    for kind, bounded, seed in product(KINDS, (False, True), range(5)):
        case = f"{kind}, bounded: {bounded}, seed {seed}"
        gramian = drawn(tasks, seed, kind)
        lower = np.random.default_rng(seed).uniform(0, 0.9 / tasks, tasks) * bounded
        weights = solve(tf.constant(gramian), tf.constant(lower)).numpy()
        _, best = solved_by_enumeration(gramian, lower)
        assert weights.sum() == pytest.approx(1, abs=1e-9), case
        assert (weights >= lower - 1e-12).all(), case
        assert weights @ gramian @ weights <= best + 1e-6 * np.abs(gramian).max(), case


@pytest.mark.parametrize("tasks", [2, 3, 5])
def test_weights_are_those_of_enumeration_where_the_solution_is_unique(tasks):
    gramian = drawn(tasks, 7, "aligned")
    lower = np.full(tasks, 0.1)
    expected, _ = solved_by_enumeration(gramian, lower)
    np.testing.assert_allclose(min_norm(tf.constant(gramian), tf.constant(lower)).numpy(), expected, atol=1e-6)


def test_two_tasks_have_the_closed_form():
    g1, g2 = np.array([1.0, 0.0]), np.array([1.0, 2.0])  # the nearest point of the segment to 0 is g1 itself
    both = np.stack([g1, g2])
    np.testing.assert_allclose(min_norm(tf.constant(both @ both.T)).numpy(), [1, 0], atol=1e-9)
    g2 = np.array([-1.0, 2.0])  # ((g2 - g1) . g2) / |g2 - g1|^2 = (2 + 4) / 8
    both = np.stack([g1, g2])
    np.testing.assert_allclose(min_norm(tf.constant(both @ both.T)).numpy(), [0.75, 0.25], atol=1e-9)


def test_without_bounds_no_task_is_pulled_back():
    solve = tf.function(min_norm, autograph=False)
    for seed in range(20):
        gramian = drawn(4, seed, "plain")
        weights = solve(tf.constant(gramian)).numpy()
        gain = gramian @ weights  # inner product of each task's gradient with the step's direction
        assert (gain >= weights @ gain - 1e-7 * gramian.max()).all()


def test_absent_tasks_get_nothing():
    gramian = drawn(3, 0, "plain")
    gramian[1] = gramian[:, 1] = 0
    present = tf.constant([True, False, True])
    for solve in (min_norm, relaxed_min_norm):
        weights = solve(tf.constant(gramian), tf.constant([0.1, 0.5, 0.1], tf.float64), present).numpy()
        assert weights[1] == 0
        assert weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(min_norm(tf.zeros([3, 3]), None, tf.zeros([3], tf.bool)).numpy(), 0)


def test_the_relaxation_is_never_better_and_sometimes_worse():
    worse, lower = 0, tf.constant([0.2, 0.1, 0.05], tf.float64)
    solvers = [tf.function(solve, autograph=False) for solve in (min_norm, relaxed_min_norm)]
    for seed in range(30):
        gramian = drawn(3, seed, "plain")
        exact, relaxed = (solve(tf.constant(gramian), lower).numpy() for solve in solvers)
        assert relaxed.sum() == pytest.approx(1)
        assert (relaxed >= lower.numpy() - 1e-12).all()
        norms = exact @ gramian @ exact, relaxed @ gramian @ relaxed
        assert norms[1] >= norms[0] - 1e-9
        worse += norms[1] > norms[0] + 1e-3
    assert worse > 0


def test_projection_by_hand():
    np.testing.assert_allclose(
        project_to_simplex(tf.constant([0.9, 0.5, -1.0]), tf.constant(1.0)).numpy(), [0.7, 0.3, 0]
    )


def test_scale_of_all_losses_does_not_matter():
    gramian = drawn(4, 3, "plain")
    small, large = (min_norm(tf.constant(gramian * s)).numpy() for s in (1e-12, 1e12))
    np.testing.assert_allclose(small, large, atol=1e-9)
