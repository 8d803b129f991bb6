import itertools

import numpy as np
import pytest

from training.evaluation.pareto_front import hypervolume, non_dominated


def test_dominated_points_are_named_and_equal_ones_stay():
    gains = np.array([[1, 3], [2, 2], [3, 1], [2, 1], [2, 2], [0, 3]])
    np.testing.assert_array_equal(non_dominated(gains), [True, True, True, False, True, False])


def test_every_dominated_point_has_a_point_on_the_front_above_it():
    gains = np.random.default_rng(0).integers(0, 6, (60, 3)).astype(float)
    kept = gains[non_dominated(gains)]
    for point, on_front in zip(gains, non_dominated(gains), strict=True):
        above = (kept >= point).all(axis=1) & (kept > point).any(axis=1)
        assert above.any() != on_front


def test_volume_of_two_objectives_by_hand():
    # A staircase: 1 wide and 3 high, then 1 more at 2, then 1 more at 1. The reference lies at (10, -2).
    gains = np.array([[1, 3], [2, 2], [3, 1], [1, 1]]) + np.array([10, -2])
    assert hypervolume(gains, np.array([10, -2])) == pytest.approx(3 + 2 + 1)


def test_volume_of_three_objectives_by_hand():
    # Boxes of 3 x 1 x 1, 1 x 3 x 1 and 1 x 1 x 3 share the unit cube, all three of them: 9 - 3 + 1.
    gains = np.array([[3, 1, 1], [1, 3, 1], [1, 1, 3]], dtype=float)
    assert hypervolume(gains, np.zeros(3)) == pytest.approx(7)
    # (2, 2, 2) fills 8, of which those boxes held 1 + 3 * 1; 3 * 1 of them stick out.
    assert hypervolume(np.vstack([gains, [2, 2, 2]]), np.zeros(3)) == pytest.approx(8 + 3)


@pytest.mark.parametrize("objectives", [2, 3, 4, 5, 6])
def test_volume_is_what_inclusion_and_exclusion_gives(objectives):
    gains = np.random.default_rng(objectives).uniform(-0.2, 1, (8, objectives))
    inside = gains[(gains > 0).all(axis=1)]
    expected = 0.0
    for size in range(1, len(inside) + 1):
        for some in itertools.combinations(inside, size):
            expected -= (-1) ** size * np.prod(np.min(some, axis=0))
    assert hypervolume(gains, np.zeros(objectives)) == pytest.approx(expected)


def test_volume_agrees_with_a_count_of_random_points():
    rng = np.random.default_rng(4)
    gains = rng.dirichlet(np.ones(4), size=25)
    thrown = rng.uniform(0, 1, (200_000, 4))
    hit = np.zeros(len(thrown), dtype=bool)
    for point in gains:
        hit |= (thrown <= point).all(axis=1)
    volume = hypervolume(gains, np.zeros(4))
    # Five standard errors of a share among 200,000 points.
    assert abs(volume - hit.mean()) < 5 * np.sqrt(volume * (1 - volume) / len(thrown))


def test_what_is_not_above_the_reference_in_everything_adds_nothing():
    reference = np.array([0.5, 0.5])
    assert hypervolume(np.array([[0.9, 0.5], [0.4, 0.9]]), reference) == 0
    assert hypervolume(np.empty((0, 2)), reference) == 0
    assert hypervolume(np.array([[0.7, 0.6], [0.9, 0.5]]), reference) == pytest.approx(0.02)
