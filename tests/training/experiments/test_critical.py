"""Intervals at one time, and at all times."""

import numpy as np
import pytest
from scipy import stats

from training.experiments.critical import FIXED, Sequential


@pytest.mark.parametrize("method", [FIXED, Sequential(0.02)])
@pytest.mark.parametrize("freedom", [5.0, 80.5, 1e7])
@pytest.mark.parametrize("level", [0.5, 0.05, 1e-4, 1e-9])
def test_p_values_are_the_levels_of_bounds(method, freedom, level):
    assert method.p_value(method.bound(level, freedom, 100.0), freedom, 100.0) == pytest.approx(level, rel=1e-5)


def test_many_degrees_of_freedom_are_the_normal_distribution():
    assert FIXED.bound(0.05, 1e8, 0) == pytest.approx(1.959964)
    assert FIXED.p_value(-1.959964, 1e8, 0) == pytest.approx(0.05)


def test_the_bound_at_all_times_by_hand():
    # r = (0.03 * 100)^2 = 9: z^2 = 10/9 (log 10 - 2 log 0.05).
    assert Sequential(0.03).bound(0.05, 1e9, 100.0) == pytest.approx(np.sqrt(10 / 9 * (np.log(10) - 2 * np.log(0.05))))
    assert Sequential(0.03).p_value(3.0, 1e9, 100.0) == pytest.approx(np.sqrt(10) * np.exp(-9 * 9 / 20))
    assert Sequential(0.03).p_value(0.1, 1e9, 100.0) == 1


def test_the_bound_at_all_times_is_lowest_where_the_fixed_test_finds_its_effect():
    power = stats.norm.isf(0.025) + stats.norm.isf(0.2)
    bounds = {r: Sequential(0.01).bound(0.05, 1e9, 100 * r) for r in (0.1, 1.0, power, 10.0, 100.0)}
    assert min(bounds, key=bounds.get) == power
    assert bounds[power] == pytest.approx(3.04, abs=0.01)
    assert Sequential(0.01).bound(0.05, 1e9, 0.0) == np.inf


@pytest.mark.parametrize("freedom", [1.0, 5.0, 20.0, 1e6])
@pytest.mark.parametrize("precision", [0.0, 1e-9, 1e-3, 0.1, 1.0, 5.0, 10.0, 30.0])
@pytest.mark.parametrize("level", [0.1, 0.01])
def test_an_imprecise_effect_has_an_interval_that_excludes_nothing(freedom, precision, level):
    bound = Sequential(0.01).bound(level, freedom, precision)  # the relative error is 3 % of the effect or more
    assert bound > FIXED.bound(level, freedom, precision)
    for ratio in (0.0, 2.0, 40.0, 1e4):
        assert (ratio > bound) == (Sequential(0.01).p_value(ratio, freedom, precision) < level)


def test_few_degrees_of_freedom_widen_the_bound_at_all_times():
    assert Sequential(0.01).bound(0.05, 4, 300.0) > 2 * Sequential(0.01).bound(0.05, 1e6, 300.0)


def test_a_random_walk_is_watched_all_the_time_without_more_alarms():
    rng, walks, looks = np.random.default_rng(0), 1000, 400
    estimates = rng.normal(size=(walks, looks)).cumsum(1) / np.arange(1, looks + 1)  # of an effect of 0
    errors = 1 / np.sqrt(np.arange(1, looks + 1))
    sequential = np.array([Sequential(0.2).bound(0.05, 1e9, 1 / error) for error in errors])
    alarms = (np.abs(estimates / errors) > sequential).any(1).mean()
    peeked = (np.abs(estimates / errors) > FIXED.bound(0.05, 1e9, 1)).any(1).mean()
    assert alarms < 0.05 < 0.3 < peeked


@pytest.mark.parametrize("effect", [0.0, -1.0, float("nan"), float("inf")])
def test_an_effect_must_be_above_0(effect):
    with pytest.raises(ValueError, match="effect must be above 0"):
        Sequential(effect)
