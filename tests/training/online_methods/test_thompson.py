"""Posterior, shares and convergence of the bandit."""

import numpy as np
import pytest

from training.online_methods import Judged, Thompson
from training.online_methods.thompson import posterior

START = np.array([0.5])
POINTS = np.array([[0.1], [0.4], [0.6], [0.9]])


def judged(gains, noise=0.1, stopped=()) -> Judged:
    bad = np.isin(np.arange(4), stopped)
    return Judged(POINTS, np.array(gains), np.full(4, noise), np.full(4, 0.05), bad)


def method(**options) -> Thompson:
    return Thompson(Thompson.Options(sets=4, **options), START)


def shares(one: Judged, **options):
    return method(**options).propose([one], np.random.default_rng(0)).shares


def test_gains_shrink_to_zero_by_their_noise() -> None:
    means, deviations = posterior(judged([0.3, -0.3, 0.1, -0.1]))
    prior = 0.05 - 0.1**2 - 0.05**2
    factor = prior / (prior + 0.1**2)
    np.testing.assert_allclose(means, factor * np.array([0.3, -0.3, 0.1, -0.1]))
    np.testing.assert_allclose(deviations, np.sqrt(factor) * 0.1)
    means, _ = posterior(judged([0.05, -0.05, 0.02, 0.0]))  # within their noise
    assert np.abs(means).max() < 0.02


def test_shares_follow_the_probability_of_being_the_best_above_the_floor() -> None:
    found = shares(judged([0.5, 0.0, 0.1, -0.2]), floor=0.04)
    assert found[0] > 0.8
    assert found.min() >= 0.04
    assert found.sum() == pytest.approx(1.0)
    alike = shares(judged([0.1, 0.1, 0.1, 0.1]))
    np.testing.assert_allclose(alike, 0.25, atol=0.02)
    two = shares(judged([0.15, 0.05, -9.0, -9.0], noise=0.01), floor=0.01)
    assert two[0] > 0.9


def test_sets_that_were_stopped_get_no_share() -> None:
    found = shares(judged([np.nan, 0.3, 0.1, 0.0], stopped=[0]))
    assert found[0] == 0.0
    assert found[1:].sum() == pytest.approx(1.0)
    assert method().winner([judged([np.nan, 0.3, 0.1, 0.0], stopped=[0])]) == POINTS[1]
    assert method().converged([judged([np.nan] * 4, stopped=range(4))]) == "all sets have broken a guardrail"


def test_a_set_that_was_hardly_seen_keeps_its_chance() -> None:
    found = shares(judged([0.05, 0.0, np.nan, 0.02]), floor=0.01)
    assert found[2] > 0.1


def test_converged_once_one_set_is_the_best_beyond_doubt() -> None:
    assert method().converged([]) is None
    assert method().converged([judged([0.2, 0.1, 0.1, 0.0])]) is None
    assert (
        method().converged([judged([0.2, 0.1, 0.1, 0.0], noise=0.01)]) == "one set is the best with probability 1.000"
    )
    assert method().winner([judged([-0.2, -0.1, -0.3, -0.2])]) is None
