"""The Gaussian by hand, and when it has converged."""

import numpy as np
import pytest

from tests.training.online_methods.test_contract import NOISE, played
from training.online_methods import CrossEntropy, Judged

START = np.array([0.5, 0.5])


def method(**options) -> CrossEntropy:
    return CrossEntropy(CrossEntropy.Options(**options), START)


def judged(points, gains, stopped=()) -> Judged:
    points, gains = np.array(points), np.array(gains)
    bad = np.isin(np.arange(len(gains)), stopped)
    return Judged(points, gains, np.full(len(gains), NOISE), np.full(len(gains), NOISE), bad)


POINTS = [[0.1, 0.1], [0.7, 0.5], [0.9, 0.3], [0.2, 0.9], [0.5, 0.1], [0.3, 0.2]]


def test_mean_and_deviation_move_to_those_of_the_elite() -> None:
    proposal = method(deviation=0.2, smoothing=0.25).propose(
        [judged(POINTS, [-1.0, 2.0, 3.0, -2.0, 0.5, -0.1])], np.random.default_rng(0)
    )
    np.testing.assert_allclose(proposal.mean, 0.25 * 0.5 + 0.75 * np.array([0.8, 0.4]))
    np.testing.assert_allclose(proposal.deviation**2, 0.25 * 0.04 + 0.75 * np.array([0.04 + 0.16, 0.04]) / 2)


def test_today_competes_for_the_elite() -> None:
    found = method(smoothing=0.0).winner([judged(POINTS, [-1.0, 2.0, -3.0, -2.0, -0.5, -0.1])])
    np.testing.assert_allclose(found, [0.6, 0.5])


def test_sets_that_were_stopped_are_not_in_the_elite() -> None:
    found = method(smoothing=0.0).winner([judged(POINTS, [-1.0, 2.0, 9.0, -2.0, 0.5, -0.1], stopped=[2])])
    np.testing.assert_allclose(found, [0.6, 0.3])
    none = method(deviation=0.2).propose([judged(POINTS, [1.0] * 6, stopped=range(6))], np.random.default_rng(0))
    np.testing.assert_allclose(none.mean, START)
    np.testing.assert_allclose(none.deviation, 0.1)


def test_noise_alone_does_not_shrink_the_gaussian_on_average() -> None:
    ends = []
    for seed in range(60):
        found = method(sets=9, smoothing=0.0, deviation=0.1, alike=0)
        rounds = played(found, 3, gain=lambda points: np.full(len(points), 0.1), seed=seed)
        ends.append(found.propose(rounds, np.random.default_rng(0)).deviation)
    assert np.mean(np.square(ends)) == pytest.approx(0.01, rel=0.2)


def test_converged_by_the_deviation_or_by_rounds_without_differences() -> None:
    steep = method(sets=12, converged=0.05)
    rounds = played(steep, 12, gain=lambda points: -((points - 0.6) ** 2).sum(axis=1) + 0.02, noise=1e-4)
    done = next(number for number in range(13) if steep.converged(rounds[:number]) is not None)
    assert 2 < done < 10
    assert steep.converged(rounds[:done]).startswith("the largest standard deviation is 0.0")
    np.testing.assert_allclose(steep.winner(rounds[:done]), [0.6, 0.6], atol=0.05)
    same = [judged(POINTS, [0.1, 0.105, 0.1, 0.095, 0.1, 0.1])] * 3
    assert method().converged(same[:2]) is None
    assert method().converged(same) == "the sets of 3 rounds in a row do not differ beyond noise"
    assert method(alike=0).converged(same) is None


def test_cochrans_test_by_hand() -> None:
    one = judged(POINTS[:2], [0.0, 0.02])
    assert one.equality() == pytest.approx(0.1573, abs=1e-4)  # chi-square of (0.02 / 0.01)^2 / 2 = 2 with 1 degree
    random = np.random.default_rng(0)
    values = [judged(POINTS, random.normal(0, NOISE, 6)).equality() for _ in range(500)]
    assert np.mean(np.array(values) < 0.1) == pytest.approx(0.1, abs=0.04)
