"""Both versions on the same resamples: estimates, errors and intervals."""

import numpy as np
import pytest

from training.promotion.resampling import Drawn, Family, Paired, gain, log_ratio, new_value, old_value, resampled


def mean(values):
    return lambda weights: float((values * weights).sum() / weights.sum())


def drawn(new, old, better="more", new_drawn=None, old_drawn=None, units=50):
    parts = [np.asarray(values, dtype=float) for values in (new_drawn, old_drawn)]
    return Drawn("m", better, new, old, *parts, units)


def test_what_both_versions_owe_to_the_rows_cancels():
    """The error of a difference of means is that of the mean difference, not of the two means."""
    random = np.random.default_rng(0)
    rows = random.normal(size=400)
    new, old = rows + 0.1 + 0.01 * random.normal(size=400), rows
    [[found]] = resampled([Family(np.arange(400), [Paired("m", "more", mean(new), mean(old))])], 400, 300, 1)
    estimate = gain(found)
    assert estimate.value == pytest.approx((new - old).mean())
    assert estimate.error == pytest.approx((new - old).std() / 20, rel=0.15)
    assert new_value(found).error == pytest.approx(new.std() / 20, rel=0.15)
    assert estimate.freedom == 299
    low, high = estimate.ends(0.025)
    assert low + high == pytest.approx(2 * estimate.value)
    assert high - low == pytest.approx(2 * 1.968 * estimate.error, rel=1e-3)  # Student's quantile at 299


def test_groups_are_resampled_whole():
    """With 20 equal rows a group, the error is that of the 30 groups' means."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20)
    difference = random.normal(size=30)[groups]
    [[found]] = resampled([Family(groups, [Paired("m", "more", mean(difference), mean(0 * difference))])], 30, 500, 1)
    assert gain(found).error == pytest.approx(difference[::20].std() / np.sqrt(30), rel=0.15)
    assert gain(found).freedom == 29


def test_families_see_the_same_resamples():
    values = np.arange(10.0)
    one = Paired("m", "more", mean(values), mean(values))
    [[first], [second]] = resampled([Family(np.arange(10), [one]), Family(np.arange(10), [one])], 10, 50, 3)
    np.testing.assert_array_equal(first.new_drawn, second.old_drawn)
    told = []
    resampled([Family(np.arange(10), [one])], 10, 3, 3, told.append)
    assert told == [0, 1, 2, 3]


def test_gains_are_in_the_better_direction():
    more = drawn(0.7, 0.6, "more", [0.7, 0.8, 0.6], [0.6, 0.6, 0.6])
    assert gain(more).value == pytest.approx(0.1)
    assert gain(more).error == pytest.approx(0.1)
    assert gain(drawn(0.7, 0.6, "less", [0.7, 0.8, 0.6], [0.6] * 3)).value == pytest.approx(-0.1)
    nearer = drawn(1.1, 0.7, None, [1.1, 0.9, 1.0], [0.7] * 3)
    assert gain(nearer).value == pytest.approx(0.2)
    assert gain(nearer).error == pytest.approx(np.std([0.2, 0.2, 0.3], ddof=1))
    assert log_ratio(drawn(2.0, 1.0, "less", [2.0, 4.0, 1.0], [1.0] * 3)).value == pytest.approx(np.log(2))
    assert old_value(nearer).value == 0.7


def test_what_is_undefined_in_most_resamples_is_undefined():
    nan = float("nan")
    assert gain(drawn(0.7, 0.6, "more", [0.7, nan, 0.5], [0.6] * 3)).freedom == 1
    for one in (
        drawn(0.7, 0.6, "more", [0.7, nan, nan, 0.6], [0.6] * 4),
        drawn(nan, 0.6, "more", [0.7, 0.6, 0.6], [0.6] * 3),
        drawn(0.7, 0.6, "more", [0.7, 0.6, 0.6], [0.6] * 3, units=1),
    ):
        assert np.isnan(gain(one).value)
        assert np.isnan(gain(one).ends(0.05)).all()
    assert np.isnan(log_ratio(drawn(0.0, 1.0, "less", [0.0] * 3, [1.0] * 3)).value)
