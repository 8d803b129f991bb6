"""Power, and the time until an effect is found."""

import numpy as np
import pytest
from scipy import stats

from tests.training.experiments.samples import mean_of
from training.experiments.critical import Sequential
from training.experiments.outlook import LONGEST, outlook, power_of
from training.experiments.statistics import compare


def normals(count, seed=0, lift=0.0):
    rng = np.random.default_rng(seed)
    return mean_of(rng.normal(10, 2, count), rng.normal(10 * (1 + lift), 2, count))


def told(count, effect=0.01, days=10.0, series=(), **options):
    [now] = compare(normals(count), "m", "control", **options)
    return outlook(now, series, effect, 0.8, days)


def cumulative(times, growth):
    """Differences whose squared errors fall with a power of time, up to that of 4000 units."""
    rows = []
    for time in times:
        count = round(4000 * (time / times[-1]) ** growth)
        rows.append((time, compare(normals(count), "m", "control")[0]))
    return rows


def test_power_by_hand():
    assert power_of(2.8016, 1.0, 1.96) == pytest.approx(0.8, abs=1e-4)
    assert power_of(0.0, 1.0, 1.96) == pytest.approx(0.05, abs=1e-4)
    assert power_of(-2.0, 1.0, 1.0) == pytest.approx(stats.norm.sf(-1) + stats.norm.sf(3))


def test_power_is_the_fraction_of_experiments_that_find_the_effect():
    error = 2 * np.sqrt(2 / 300)
    found = [compare(normals(300, seed, 0.05), "m", "control")[0] for seed in range(600)]
    measured = np.mean([one.p < 0.05 for one in found])
    assert measured == pytest.approx(power_of(0.5, error, 1.96), abs=0.05)


def test_the_smallest_effect_found_is_found_with_the_power():
    found = told(2000)
    [now] = compare(normals(2000), "m", "control")
    assert power_of(found.detectable * now.control_value, now.error, now.bound) == pytest.approx(0.8, abs=1e-4)
    assert found.detectable == pytest.approx(2.8 * 0.2 * np.sqrt(2 / 2000), rel=0.06)
    assert found.power == pytest.approx(power_of(0.01 * now.control_value, now.error, now.bound))


def test_an_effect_of_half_the_size_takes_four_times_as_long():
    first, second = (told(2000, effect).days for effect in (0.006, 0.003))
    assert second / first == pytest.approx(4, rel=0.01)
    assert told(2000, 0.05, days=10.0).days == 10.0
    assert told(2000, 1e-5).days is None


def test_the_error_falls_as_it_has_fallen():
    times = [1.0, 2.0, 4.0, 8.0, 16.0]
    for growth in (1.0, 0.5):
        series = cumulative(times, growth)
        found = outlook(series[-1][1], series, 0.006, 0.8, 16.0)
        assert found.growth == pytest.approx(growth, abs=0.1)
        now = outlook(series[-1][1], series[:3], 0.006, 0.8, 16.0)  # too few days to tell
        assert now.growth == 1.0
        assert found.days == pytest.approx(16 * (now.days / 16) ** (1 / found.growth), rel=0.01)
    flat = [(time, series[-1][1]) for time in times]
    assert outlook(series[-1][1], flat, 0.006, 0.8, 16.0).days is None


def test_watching_all_the_time_takes_longer():
    assert told(2000, 0.006).days < told(2000, 0.006, method=Sequential(0.006)).days < LONGEST


def test_nothing_is_told_without_an_interval():
    [none] = compare(mean_of(np.zeros(20), np.zeros(20)), "m", "control")
    [endless] = compare(normals(200), "m", "control", method=Sequential(1e-200))
    assert outlook(none, [], 0.01, 0.8, 1.0) is None
    assert outlook(endless, [], 0.01, 0.8, 1.0) is None
    assert outlook(compare(normals(200), "m", "control")[0], [], 0.01, 0.8, 1.0).to_dict()["growth"] == 1.0
