"""Intervals hold the true value of simulated users, and the naive guesses do not."""

import numpy as np
import pytest

from ranker.fusion.exploration import PlackettLuce
from tests.training.off_policy.simulated import Policy, Setting, served, true_value, world_of
from training.off_policy.estimate import estimate
from training.off_policy.sample import compared

LOGS, REQUESTS = 40, 250
SOFT = PlackettLuce(kind="plackett_luce", temperature=0.5, first=3, max_move=6)
SETTING = Setting(6, 3, Policy(1.0, SOFT), Policy(8.0, SOFT), slope=-0.5)
"""The model has likes the wrong way round, and the target policy believes it more than the logging policy."""


@pytest.fixture(scope="module")
def world():
    return world_of(users=400, items=200)


@pytest.fixture(scope="module")
def truth(world):
    return true_value(world, SETTING, 20_000, 1000)


@pytest.fixture(scope="module")
def samples(world):
    logs = [served(world, SETTING, REQUESTS, seed) for seed in range(LOGS)]
    return [
        compared(log.logged, log.orders(SETTING.logging), log.orders(SETTING.target), places=3, draws=4, seed=0)
        for log in logs
    ]


@pytest.mark.parametrize("name", ["place_dr", "place_snips", "cascade_dr", "cascade_snips", "list_snips"])
def test_intervals_hold_the_true_value(samples, truth, name):
    found = [estimate(sample, name).value for sample in samples]
    assert sum(one.low <= truth <= one.high for one in found) >= 0.85 * LOGS
    errors = np.array([one.value for one in found]) - truth
    assert abs(errors.mean()) < 3.5 * errors.std() / np.sqrt(LOGS)
    # The stated errors are those of repetitions.
    assert np.mean([one.error for one in found]) == pytest.approx(errors.std(ddof=1), rel=0.35)


def test_what_was_observed_and_what_the_model_expects_are_not_the_value(samples, truth):
    seen = np.array([sample.observed.mean() for sample in samples])
    guessed = np.array([sample.model.target.sum(axis=1).mean() for sample in samples])
    assert seen.mean() - truth > 5 * seen.std() / np.sqrt(LOGS)
    assert guessed.mean() - truth > 5 * guessed.std() / np.sqrt(LOGS)


def test_longer_logs_tell_more(world):
    errors = []
    for requests in (200, 800):
        log = served(world, SETTING, requests, 77)
        sides = log.orders(SETTING.logging), log.orders(SETTING.target)
        errors.append(estimate(compared(log.logged, *sides, places=3, draws=4, seed=0), "place_dr").value.error)
    assert errors[0] > 1.5 * errors[1]
