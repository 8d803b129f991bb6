import math

import numpy as np
import pytest

from ranker.metrics import auc, bootstrap_intervals, mae
from ranker.metrics.auc import auc_statistic
from ranker.metrics.regression import mae_statistic


def test_a_resample_is_a_draw_with_replacement() -> None:
    seen = []

    def total(weights: np.ndarray) -> float:
        seen.append(weights)
        return float(weights.sum())

    intervals = bootstrap_intervals({"total": total}, units=50, resamples=400, seed=0)
    assert intervals["total"] == (50.0, 50.0)
    counts = np.stack(seen)
    assert counts.shape == (400, 50)
    assert counts.mean(axis=0) == pytest.approx(1.0, abs=0.25)
    assert counts.var() == pytest.approx(1 - 1 / 50, abs=0.05)  # of a binomial count: n (1/n) (1 - 1/n)


def test_a_weighted_statistic_equals_measuring_the_drawn_rows() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 80).astype(float), np.round(rng.random(80), 1)
    statistic = auc_statistic(labels, scores)
    for _ in range(10):
        rows = rng.integers(0, 80, 80)
        counts = np.bincount(rows, minlength=80).astype(float)
        assert statistic(counts) == pytest.approx(auc(labels[rows], scores[rows]), abs=1e-15)


def test_the_seed_determines_the_intervals() -> None:
    statistic = mae_statistic(np.arange(30.0), np.zeros(30))
    first, again, other = (bootstrap_intervals({"mae": statistic}, 30, 50, seed)["mae"] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_intervals_of_a_mean_cover_it_at_their_level() -> None:
    rng = np.random.default_rng(0)
    covered = []
    for seed in range(200):
        errors = rng.exponential(3.0, 150)  # with mean 3
        statistics = {"mae": mae_statistic(np.zeros(150), errors)}
        low, high = bootstrap_intervals(statistics, 150, 100, seed, level=0.9)["mae"]
        assert low < mae(np.zeros(150), errors) < high
        covered.append(low < 3.0 < high)
    assert 0.84 < np.mean(covered) < 0.95


def test_intervals_of_an_auc_cover_it() -> None:
    rng = np.random.default_rng(1)
    truth = 0.5 * (1 + math.erf(1.0 / 2))  # of two unit normals, one apart: Phi(1 / sqrt 2)
    covered = []
    for seed in range(100):
        labels = (np.arange(200) < 60).astype(float)
        statistics = {"auc": auc_statistic(labels, rng.normal(labels, 1.0))}
        low, high = bootstrap_intervals(statistics, 200, 100, seed)["auc"]
        covered.append(low < truth < high)
    assert 0.88 < np.mean(covered) <= 0.99


def test_undefined_resamples_are_ignored_unless_they_are_the_majority() -> None:
    labels = np.zeros(40)
    labels[:3] = 1.0  # missed by 5% of the resamples
    low, high = bootstrap_intervals({"auc": auc_statistic(labels, np.arange(40.0))}, 40, 200, 0)["auc"]
    assert 0.0 <= low <= high < 0.2
    only = bootstrap_intervals({"nan": lambda weights: math.nan if weights[0] else 1.0}, 40, 200, 0)
    assert all(math.isnan(end) for end in only["nan"])  # 63% draw the first unit


@pytest.mark.parametrize(("units", "resamples"), [(0, 10), (10, 0)])
def test_nothing_to_resample_gives_no_interval(units: int, resamples: int) -> None:
    statistic = mae_statistic(np.zeros(units), np.zeros(units))
    assert all(math.isnan(end) for end in bootstrap_intervals({"mae": statistic}, units, resamples, 0)["mae"])


@pytest.mark.parametrize(
    ("resamples", "level", "text"),
    [(-1, 0.9, "resamples must be >= 0, got -1"), (9, 1.0, "level must be in .*got 1.0")],
)
def test_invalid_options_are_rejected(resamples: int, level: float, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        bootstrap_intervals({}, 10, resamples, 0, level)


def test_a_statistic_sorts_its_rows_only_once() -> None:
    rng = np.random.default_rng(2)
    labels, scores = rng.integers(0, 2, 50).astype(float), rng.random(50)
    statistic = auc_statistic(labels, scores)
    expected = statistic(np.ones(50))
    scores[:] = 0.0  # no longer looked at: the rows are sorted already
    assert statistic(np.ones(50)) == expected
