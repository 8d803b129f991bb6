"""Our numbers against those of other libraries, as ``benchmarks.experiment_peers`` computed them."""

import pytest

from tests.training.experiments.peers import UNITS, ours

NUMBERS = {
    # spotify-confidence 4.1.0, StudentsTTest: difference, p-value, interval.
    "mean": ([5.166975, 0.0889411439309, -0.787783833486, 11.1217338335], 1e-9),
    # statsmodels 0.15.0, OLS of requests with errors clustered by user: difference, error without n / (n - 1).
    "ratio": ([0.0383333333333, 0.0189001071141], None),
    # spotify-confidence 4.1.0, ZTestLinreg: difference, interval of the normal distribution.
    "cuped": ([5.16828724017, 0.206626811476, 10.1299476689], None),
    # savvi 0.3.1, LinearRegression: half-width of Student's exact mixture, where ours replaces the normal tails.
    "sequential": ([9.53984005963], 2e-4),
    # spotify-confidence 4.1.0, sample_ratio_test, and savvi 0.3.1, Multinomial.
    "mismatch": ([0.165517858697, 0.878788609849], 1e-9),
    # statsmodels 0.15.0, multipletests.
    "holm": ([0.12, 0.006, 0.12, 0.4, 0.06, 0.6], 1e-9),
    "bonferroni": ([0.24, 0.006, 0.18, 1, 0.072, 1], 1e-9),
    "benjamini_hochberg": ([0.06, 0.006, 0.06, 0.24, 0.036, 0.6], 1e-9),
    # statsmodels 0.15.0, NormalIndPower.
    "power": ([0.352608082445], 1e-9),
}


@pytest.fixture(scope="module")
def found():
    return ours()


@pytest.mark.parametrize("name", [name for name, (_, tolerance) in NUMBERS.items() if tolerance])
def test_numbers_are_those_of_the_peers(found, name):
    numbers, tolerance = NUMBERS[name]
    assert found[name] == pytest.approx(numbers, rel=tolerance)


def test_the_error_of_a_ratio_is_that_of_requests_clustered_by_user(found):
    (difference, error), _ = NUMBERS["ratio"]
    each = UNITS / 2
    assert found["ratio"] == pytest.approx([difference, error * (each / (each - 1)) ** 0.5], rel=1e-9)


def test_cuped_is_the_regression_on_the_covariate(found):
    (difference, low, high), _ = NUMBERS["cuped"]
    assert found["cuped"][0] == pytest.approx(difference, rel=1e-8)
    own, normal = found["cuped"][2] - found["cuped"][1], high - low
    assert own == pytest.approx(normal * 1.9619 / 1.9600, rel=5e-4)  # Student's quantile, and other degrees of freedom
