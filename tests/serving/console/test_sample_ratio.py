import numpy as np
import pytest
from scipy.stats import chi2, chisquare

from serving.console.sample_ratio import sample_ratio, survival


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 12])
@pytest.mark.parametrize("statistic", [0.0, 0.01, 1.0, 5.5, 30.0, 400.0])
def test_the_tail_is_that_of_chi_squared(freedom, statistic):
    assert survival(statistic, freedom) == pytest.approx(chi2.sf(statistic, freedom), rel=1e-9, abs=1e-300)


def test_it_is_pearsons_test():
    counts = {"control": 5200.0, "bold": 2500.0, "bolder": 2300.0}
    found = sample_ratio(counts, {"control": 0.5, "bold": 0.25, "bolder": 0.25})
    known = chisquare(list(counts.values()), [5000, 2500, 2500])
    assert found.expected == {"control": 5000.0, "bold": 2500.0, "bolder": 2500.0}
    assert found.statistic == pytest.approx(known.statistic)  # 8 + 0 + 16
    assert found.statistic == pytest.approx(24.0)
    assert found.p_value == pytest.approx(known.pvalue)
    assert found.mismatch


def test_shares_that_sum_to_one_only_almost_are_as_if_they_did():
    found = sample_ratio({"a": 100.0, "b": 100.0, "c": 100.0}, {"a": 0.3333, "b": 0.3333, "c": 0.3333})
    assert found.statistic == pytest.approx(0.0)
    assert (found.p_value, found.mismatch) == (pytest.approx(1.0), False)


def test_few_requests_and_a_single_group_are_not_tested():
    assert sample_ratio({"a": 9.0}, {"a": 0.5, "b": 0.5})[1:] == (None, None, False)
    assert sample_ratio({}, {"a": 0.5, "b": 0.5}).expected == {"a": 0.0, "b": 0.0}
    assert sample_ratio({"a": 900.0}, {"a": 1.0})[1:] == (None, None, False)


def test_requests_in_a_group_without_a_share_mismatch():
    assert sample_ratio({"a": 1000.0, "b": 1000.0, "c": 3.0}, {"a": 0.5, "b": 0.5, "c": 0.0}).mismatch
    assert not sample_ratio({"a": 1000.0, "b": 1000.0}, {"a": 0.5, "b": 0.5, "c": 0.0}).mismatch


def test_fair_splits_are_called_wrong_once_in_a_thousand():
    random = np.random.default_rng(0)
    counts = random.multinomial(10_000, [0.5, 0.3, 0.2], size=4000)
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    wrong = sum(sample_ratio(dict(zip("abc", map(float, row), strict=True)), shares).mismatch for row in counts)
    assert wrong <= 12  # 4 are expected, and more than 12 come once in 4,000 times
