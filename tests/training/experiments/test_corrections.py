"""Corrections for several comparisons: contract of all, and numbers by hand."""

import numpy as np
import pytest

from training.experiments.corrections import CORRECTIONS, PROMISES

P_VALUES = np.array([0.04, 0.001, 0.03, 0.2, 0.012])


@pytest.mark.parametrize(
    ("name", "levels", "p_values"),
    [
        ("none", [0.05] * 5, P_VALUES),
        ("bonferroni", [0.01] * 5, [0.2, 0.005, 0.15, 1.0, 0.06]),
        # 0.001 <= 0.05/5 and 0.012 <= 0.05/4, but 0.03 > 0.05/3, which stops.
        ("holm", [0.05 / 3, 0.01, 0.05 / 3, 0.05 / 3, 0.0125], [0.09, 0.005, 0.09, 0.2, 0.048]),
        # 0.04 <= 4/5 of 0.05: four are found.
        ("benjamini_hochberg", [0.04] * 5, [0.05, 0.005, 0.05, 0.2, 0.03]),
    ],
)
def test_by_hand(name, levels, p_values):
    found = CORRECTIONS[name](P_VALUES, 0.05)
    assert found.levels == pytest.approx(levels)
    assert found.p_values == pytest.approx(p_values)


@pytest.mark.parametrize("name", CORRECTIONS)
@pytest.mark.parametrize("count", [0, 1, 7])
def test_a_difference_is_called_where_the_interval_excludes_0(name, count):
    rng = np.random.default_rng(3)
    for _ in range(50):
        p_values = rng.random(count) ** 4
        found = CORRECTIONS[name](p_values, 0.05)
        assert len(found.levels) == len(found.p_values) == count
        assert ((p_values <= found.levels) == (found.p_values <= 0.05)).all()
        assert (found.levels <= 0.05).all()
        assert (found.p_values >= p_values - 1e-12).all()
        assert (found.p_values <= 1).all()
    assert "{level:g}" in PROMISES[name]


@pytest.mark.parametrize("name", ["holm", "bonferroni"])
def test_many_comparisons_of_equal_groups_raise_few_alarms(name):
    rng = np.random.default_rng(4)
    alarms = [(CORRECTIONS[name](rng.random(20), 0.05).p_values <= 0.05).any() for _ in range(1000)]
    assert 0.03 < np.mean(alarms) < 0.07
    assert np.mean([(rng.random(20) <= 0.05).any() for _ in range(1000)]) > 0.5
