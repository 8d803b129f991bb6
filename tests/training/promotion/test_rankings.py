"""Shift of the rankings, against hand-made lists."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from training.promotion.measures import Lists
from training.promotion.rankings import _overlap, _shifts, _tau, ranking_shifts


def test_tau_is_kendalls_with_ties():
    random = np.random.default_rng(0)
    for length in (2, 9, 100, 300):
        new, old = random.integers(0, 8, (2, length)).astype(float)
        new[:2], old[:2] = (0, 1), (1, 2)
        assert _tau(new, old) == pytest.approx(kendalltau(new, old).statistic)
    assert np.isnan(_tau(np.ones(5), np.arange(5.0)))
    assert np.isnan(_tau(np.ones(1), np.ones(1)))


def test_overlap_is_of_the_first_ten():
    scores = np.arange(20.0)
    assert _overlap(scores, scores) == 1
    assert _overlap(scores, -scores) == 0
    swapped = scores.copy()
    swapped[[10, 9]] = swapped[[9, 10]]
    assert _overlap(scores, swapped) == 0.9


def test_means_are_over_lists():
    new, old = np.array([1.0, 2.0, 3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 2.0, 1.0])
    [shift] = _shifts({"fused": (new, old)}, [np.arange(3), np.arange(3, 5)])
    assert (shift.lists, shift.tau, shift.overlap) == (2, 0.0, None)
    assert shift.low_tau == pytest.approx(-0.8)
    [constant] = _shifts({"fused": (np.ones(5), old)}, [np.arange(5)])
    assert (constant.tau, constant.low_tau) == (None, None)


def test_the_same_version_ranks_the_same(old, equal, holdout, paired):
    rows = paired(old, old, holdout)
    for shift in ranking_shifts(rows, ["click", "like"], Lists(rows), 0):
        assert (shift.lists, shift.tau, shift.overlap) == (800, 1.0, 1.0)
    rows = paired(equal, old, holdout, group_by=None)
    click, like = ranking_shifts(rows, ["click", "like"], None, 0)
    assert (click.name, click.lists, like.name) == ("click", 1, "like")
    assert 0.8 < click.tau < 1
