"""How often equal groups are called different, and different ones are found, of users with heavy tails.

``benchmarks.experiment_alarms`` does the same with the users of the simulator.
"""

import numpy as np
import pytest
from scipy.stats import binom

from training.experiments.critical import FIXED, Sequential
from training.experiments.outlook import power_of
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums

USERS, DAYS, EXPERIMENTS, LEVEL = 400, 8, 200, 0.05


def totals(rng):
    """Requests, clicks and watch time of users after each day [3, D, U]."""
    rate = rng.beta(2, 5, USERS)
    requests = rng.poisson(rng.lognormal(0.3, 0.9, USERS), (DAYS, USERS))
    clicks = rng.binomial(requests, rate)
    watch = clicks * rng.lognormal(2, 1.2, (DAYS, USERS))
    return np.array([requests, clicks, watch]).cumsum(axis=1).astype(np.float64)


def units_of(sums, group):
    requests, clicks, watch = sums
    there = requests > 0
    metrics = {
        "clicks": RatioSums(clicks[there], requests[there]),
        "watch": RatioSums(watch[there], np.ones(int(there.sum()))),
    }
    return UnitSums(["control", "bold"], group[there], metrics)


@pytest.fixture(scope="module")
def looks():
    """Units of equal groups by experiment and day."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(EXPERIMENTS):
        sums, group = totals(rng), rng.integers(0, 2, USERS)
        found.append([units_of(sums[:, day], group) for day in range(DAYS)])
    return found


def alarms(looks, metric, method, days):
    return sum(any(compare(each[day], metric, "control", LEVEL, method)[0].p < LEVEL for day in days) for each in looks)


@pytest.mark.parametrize("metric", ["clicks", "watch"])
def test_equal_groups_are_called_different_as_often_as_the_level_says(looks, metric):
    low, high = binom.ppf([0.005, 0.995], EXPERIMENTS, LEVEL)
    everyday = range(DAYS)
    assert low <= alarms(looks, metric, FIXED, [DAYS - 1]) <= high
    assert alarms(looks, metric, Sequential(0.2), everyday) <= high
    assert alarms(looks, metric, FIXED, everyday) > high  # whoever peeks is wrong more often


def test_a_known_effect_is_found_with_the_power_that_was_computed():
    rng, lift = np.random.default_rng(12), 1.25
    found, power = [], []
    for _ in range(EXPERIMENTS):
        requests, clicks, watch = totals(rng)[:, -1]
        group = rng.integers(0, 2, USERS)
        units = units_of((requests, clicks * np.where(group == 1, lift, 1.0), watch), group)
        [one] = compare(units, "clicks", "control", LEVEL)
        truth = clicks.sum() / requests.sum() * (lift - 1)
        found.append(one.p < LEVEL)
        power.append(power_of(truth, one.error, one.bound))
    assert 0.6 < np.mean(power) < 0.95
    assert np.mean(found) == pytest.approx(np.mean(power), abs=0.05)
