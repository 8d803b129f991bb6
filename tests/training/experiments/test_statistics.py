"""Differences of ratios between groups: against numbers by hand, other tests, and resampling."""

import numpy as np
import pytest
from scipy import stats

from tests.training.experiments.samples import NAMES, mean_of, units_of, visits
from training.experiments.critical import Sequential
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums

RNG = np.random.default_rng(7)


def only(units, **options):
    [found] = compare(units, "m", "control", **options)
    return found


def test_a_mean_by_unit_is_compared_by_welchs_test():
    control, bold = RNG.gamma(1.0, 2.0, 60), RNG.gamma(2.0, 1.5, 45)
    found = only(mean_of(control, bold), level=0.1)
    known = stats.ttest_ind(bold, control, equal_var=False)
    ends = known.confidence_interval(0.9)
    assert found.p == pytest.approx(known.pvalue)
    assert found.freedom == pytest.approx(known.df)
    assert found.interval == pytest.approx((ends.low, ends.high))
    assert found.relative == pytest.approx(bold.mean() / control.mean() - 1)


def test_a_ratio_by_hand():
    # R = 6/12 and 9/12; z = (N - R D) / mean(D), mean(D) = 3.
    sums = RatioSums(np.array([1.0, 2, 1, 2] * 3 + [3.0, 2, 2, 2] * 3), np.array([2.0, 4, 3, 3] * 6))
    found = only(units_of([12, 12], sums))
    z = np.array([0, 0, -0.5, 0.5] * 3) / 3, np.array([1.5, -1.0, -0.25, -0.25] * 3) / 3
    variances = [part.var(ddof=1) / 12 for part in z]
    assert (found.control_value, found.value, found.difference) == (0.5, 0.75, 0.25)
    assert found.error == pytest.approx(np.sqrt(sum(variances)))


def test_the_error_of_a_ratio_is_that_of_resampled_units():
    units = visits(1, units=500)
    sums, rng = units.metrics["m"], np.random.default_rng(2)
    drawn = rng.integers(0, 500, (2, 2000, 500)) + np.array([0, 500])[:, None, None]
    ratios = sums.numerator[drawn].sum(2) / sums.denominator[drawn].sum(2)
    assert only(units).error == pytest.approx((ratios[1] - ratios[0]).std(), rel=0.05)


def test_requests_of_a_user_are_not_taken_as_independent():
    units = visits(3, units=2000)
    sums = units.metrics["m"]
    rate, requests = sums.numerator.sum() / sums.denominator.sum(), sums.denominator.sum() / 2
    assert only(units).error > 1.2 * np.sqrt(2 * rate * (1 - rate) / requests)


@pytest.mark.parametrize("method", [None, Sequential(0.1)])
@pytest.mark.parametrize("lift", [0.0, 0.1, 0.2, 0.3, -0.2])
def test_relative_interval_p_value_and_interval_agree(method, lift):
    options = {} if method is None else {"method": method}
    found = only(visits(4, lift=lift), level=0.05, **options)
    low, high = found.interval
    relative_low, relative_high = found.relative_interval
    assert (low > 0, high < 0) == (relative_low > 0, relative_high < 0)
    assert (found.p < 0.05) == (low > 0 or high < 0)
    assert relative_low < found.relative < relative_high
    edge = found.at(found.p)
    assert min(map(abs, edge.interval)) == pytest.approx(0, abs=1e-6) or found.p == 1


def test_neither_scale_nor_order_of_the_units_matters():
    units = visits(5, lift=0.1, like_before=0.8)
    sums, order = units.metrics["m"], np.random.default_rng(0).permutation(800)
    scaled = RatioSums(
        1000 * sums.numerator[order],
        10 * sums.denominator[order],
        (sums.before[0][order] * 7, sums.before[1][order] * 7),
    )
    other = only(UnitSums(NAMES, units.group[order], {"m": scaled}))
    assert other.relative_interval == pytest.approx(only(units).relative_interval)
    assert other.p == pytest.approx(only(units).p)


def test_groups_are_compared_with_the_control_in_their_order():
    units = visits(6, groups=3)
    assert [one.group for one in compare(units, "m", "bold")] == ["control", "g2"]
    there, back = compare(units, "m", "control")[0], compare(units, "m", "bold")[0]
    assert there.difference == -back.difference
    assert there.p == back.p


def test_cuped_narrows_intervals_and_stays_unbiased():
    plain, adjusted = [], []
    for seed in range(60):
        units = visits(seed, units=300, lift=0.2, like_before=0.9)
        sums = units.metrics["m"]
        adjusted.append(only(units))
        plain.append(only(units_of([300, 300], RatioSums(sums.numerator, sums.denominator))))
    means = [np.mean([one.difference for one in found]) for found in (plain, adjusted)]
    spreads = [np.std([one.difference for one in found]) for found in (plain, adjusted)]
    saved = np.mean([one.saved for one in adjusted])
    assert means[1] == pytest.approx(means[0], abs=0.005)
    assert saved > 0.1
    assert np.mean([one.error for one in adjusted]) == pytest.approx(spreads[1], rel=0.2)
    assert spreads[1] < spreads[0]
    assert plain[0].saved is None


def test_cuped_of_means_is_the_regression_on_the_covariate():
    control, bold = RNG.normal(5, 1, (2, 50)), RNG.normal(5.5, 1, (2, 50))
    control[1] += control[0]
    bold[1] += bold[0]
    before, now = np.concatenate([control[0], bold[0]]), np.concatenate([control[1], bold[1]])
    ones = np.ones(100)
    found = only(units_of([50, 50], RatioSums(now, ones, (before, ones))))
    design = np.column_stack([ones, np.repeat([0, 1], 50), before])
    assert found.difference == pytest.approx(np.linalg.lstsq(design, now)[0][1])


def test_units_without_a_past_have_no_part_in_the_adjustment():
    units = visits(8, like_before=0.9)
    sums = units.metrics["m"]
    none = np.zeros(800)
    plain = only(units_of([400, 400], RatioSums(sums.numerator, sums.denominator)))
    adjusted = only(units_of([400, 400], RatioSums(sums.numerator, sums.denominator, (none, none))))
    assert adjusted.interval == plain.interval
    assert adjusted.saved == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((np.zeros(50), np.zeros(50)), "only 0 units have a numerator other than 0"),
        ((np.ones(50), np.ones(50)), "all units are alike"),
        ((np.ones(50), np.full(50, 3.0)), "all units are alike"),
        (([1.0], np.arange(20.0)), "control has 1 unit; it takes at least 2"),
        (([], np.arange(20.0)), "control has 0 units"),
        ((np.arange(20.0), np.arange(20) * 1e200), "too large"),
        ((np.arange(20.0), np.full(20, 1e308)), "too large"),
        ((np.eye(50)[0], np.eye(50)[0]), "only 2 units have"),
    ],
)
def test_what_cannot_be_told_is_undefined_with_a_reason(values, reason):
    found = only(mean_of(*values))
    assert reason in found.undefined
    assert (found.p, found.interval, found.relative_interval, found.error) == (None,) * 4
    assert found.at(0.5).to_dict()["undefined"] == found.undefined


def test_a_denominator_of_zero_is_undefined():
    sums = RatioSums(np.r_[np.zeros(20), np.arange(20.0)], np.r_[np.zeros(20), np.ones(20)])
    found = only(units_of([20, 20], sums))
    assert found.undefined == "the denominator of control is 0"
    assert (found.value, found.control_value, found.difference) == (9.5, None, None)


def test_no_relative_interval_where_the_control_may_be_0():
    control, bold = RNG.normal(0.01, 1, 100), RNG.normal(1, 1, 100)
    found = only(mean_of(control + 0.1 - control.mean(), bold))
    assert found.relative == pytest.approx(bold.mean() / 0.1 - 1)
    assert found.relative_interval is None
    assert only(mean_of(control - 1, bold)).relative is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ["a", "a"]}, "different names"),
        ({"group": np.array([0, 2])}, "from 0 to 1, got 2"),
        ({"group": np.array([0.0, 1.0])}, "integers"),
        ({"metrics": {"m": RatioSums(np.ones(3), np.ones(2))}}, "m must have 2 units"),
        ({"metrics": {"m": RatioSums(np.ones(2), np.array([1, np.nan]))}}, "m must be finite, got nan"),
        ({"metrics": {"m": RatioSums(np.ones(2), np.ones(2), (np.ones(2), np.ones(1)))}}, "m must have 2 units"),
    ],
)
def test_wrong_sums_are_refused(change, message):
    good = {"groups": ["a", "b"], "group": np.array([0, 1]), "metrics": {"m": RatioSums(np.ones(2), np.ones(2))}}
    with pytest.raises(ValueError, match=message):
        UnitSums(**(good | change))


def test_wrong_questions_are_refused():
    units = visits(0)
    with pytest.raises(ValueError, match="no metric 'x'; there are m"):
        compare(units, "x", "control")
    with pytest.raises(ValueError, match="no group 'controll'; did you mean 'control'"):
        compare(units, "m", "controll")
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 5"):
        compare(units, "m", "control", level=5)
