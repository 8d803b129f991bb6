"""What the data shows of bounds, and how often a model that meets them is refused."""

import numpy as np
import pytest

from tests.training.promotion.pairs import AT_THE_BOUND, equal_pair, measured, sigmoid
from training.config.promotion import Bound
from training.promotion.resampling import Drawn
from training.promotion.verdict import count_tests, judged, reversed_scores

LEVEL = 0.05


def drawn(name, new, old, error, better="more"):
    """A measure with a known error of the new value and none of the old one."""
    values = np.array([-1.0, 0.0, 1.0] * 100)
    return Drawn(name, better, new, old, new + error * values / values.std(ddof=1), np.full(300, old), 1000)


def state(bound, new, old, error, better="more", tail=0.05):
    [check] = judged({"m": Bound(**bound)}, [drawn("m", new, old, error, better)], tail, 1)
    return check.state, check.refuses


@pytest.mark.parametrize(
    ("bound", "new", "old", "error", "better", "expected"),
    [
        ({"least": -0.01}, 0.70, 0.70, 0.001, "more", ("met", False)),
        ({"least": -0.01}, 0.70, 0.70, 0.010, "more", ("open", False)),
        ({"least": -0.01}, 0.66, 0.70, 0.010, "more", ("broken", True)),
        ({"least": -0.01}, 0.68, 0.70, 0.010, "more", ("open", False)),  # a loss that chance explains
        ({"least": -0.01}, 0.74, 0.70, 0.010, "less", ("broken", True)),
        ({"least": -0.01, "certain": True}, 0.70, 0.70, 0.010, "more", ("open", True)),
        ({"least": -0.01, "certain": True}, 0.70, 0.70, 0.001, "more", ("met", False)),
        ({"least": -0.05}, 1.20, 1.00, 0.010, None, ("broken", True)),
        ({"least": -0.05}, 0.97, 0.90, 0.010, None, ("met", False)),
        ({"within": 0.1}, 1.20, 1.20, 0.010, None, ("broken", True)),
        ({"within": 0.1}, 0.80, 1.20, 0.010, None, ("broken", True)),
        ({"within": 0.1}, 1.05, 1.20, 0.010, None, ("met", False)),
        ({"within": 0.1}, 1.09, 1.20, 0.010, None, ("open", False)),
        ({"most": 1.1}, 12.0, 10.0, 0.100, "less", ("broken", True)),
        ({"most": 1.1}, 10.5, 10.0, 0.100, "less", ("met", False)),
        ({"least": 0.0}, 0.70, 0.70, 0.0, "more", ("met", False)),  # the same scores
    ],
)
def test_what_the_data_shows_of_a_bound(bound, new, old, error, better, expected):
    assert state(bound, new, old, error, better) == expected


def test_intervals_widen_with_the_number_of_tests_but_not_for_certain_bounds():
    one = drawn("m", 0.68, 0.70, 0.01)
    bounds = {"m": Bound(least=-0.002)}
    [alone], [among] = (judged(bounds, [one], LEVEL, tests) for tests in (1, 40))
    assert (alone.state, among.state) == ("broken", "open")
    assert alone.value == among.value == pytest.approx(-0.02)
    assert (among.high - among.value) / (alone.high - alone.value) == pytest.approx(3.04 / 1.65, rel=0.01)
    certain = {"m": Bound(least=-0.1, certain=True)}
    assert judged(certain, [one], LEVEL, 1) == judged(certain, [one], LEVEL, 40)


def test_the_tests_that_can_raise_an_alarm_are_counted():
    whole = [drawn("click.auc", 0.7, 0.7, 0.01), drawn("click.calibration", 1.0, 1.0, 0.01, None)]
    bounds = {
        "click.auc": Bound(least=0.0),
        "click.calibration": Bound(least=-0.1, within=0.2),
        "like.auc": Bound(least=0.0),  # not measured on these rows
    }
    assert count_tests(bounds, whole, []) == 4  # three limits, and whether the AUC is reversed
    assert count_tests(bounds, whole, [whole, whole[:1]]) == 8
    assert count_tests({"click.auc": Bound(least=0.0, certain=True)}, whole, [whole[:1]]) == 2
    assert count_tests({}, whole[1:], []) == 1


def test_what_was_not_measured_is_undefined():
    [check] = judged({"like.auc": Bound(least=0.0)}, [], LEVEL, 1)
    assert (check.state, check.refuses, check.value) == ("undefined", False, None)
    [check] = judged({"like.auc": Bound(least=0.0, certain=True)}, [], LEVEL, 1)
    assert check.refuses
    assert str(check) == "like.auc: least 0 cannot be checked: it is undefined on these rows"
    assert judged({"like.auc": Bound(least=0.0)}, [], LEVEL, 1, "tab = 3") == []


def test_a_check_is_one_line():
    [check] = judged({"m": Bound(least=-0.01)}, [drawn("m", 0.66, 0.70, 0.0)], LEVEL, 3, "tab = 3")
    assert str(check) == "m where tab = 3: gain -0.04 [-0.04, -0.04], least -0.01"
    [check] = judged({"m": Bound(most=1.1, certain=True)}, [drawn("m", 12.0, 10.0, 0.0, "less")], LEVEL, 3)
    assert str(check) == "m: ratio 1.2 [1.2, 1.2], most 1.1 for certain"


def test_ratios_of_any_size_are_told():
    noisy = drawn("m", 2.0, 1.0, 0.9, "less")
    [check] = judged({"m": Bound(most=1.1)}, [noisy], LEVEL, 1)
    assert 0 < check.low < 2 < check.high
    assert check.value == pytest.approx(2.0)
    wild = Drawn("m", "less", 1.0, 1.0, np.array([1e-300, 1.0, 1e300]), np.ones(3), 3)
    [check] = judged({"m": Bound(most=1.1)}, [wild], 1e-6, 1)
    assert np.isfinite(check.high)
    assert check.state == "open"


def test_on_slices_nothing_must_be_certain():
    [check] = judged({"m": Bound(least=0.0, certain=True)}, [drawn("m", 0.7, 0.7, 0.01)], LEVEL, 1, "tab = 3")
    assert (check.certain, check.state, check.refuses) == (False, "open", False)


def test_reversed_scores_are_below_one_half_where_the_old_ones_are_above():
    aucs = [
        drawn("a.auc", 0.40, 0.60, 0.01),
        drawn("b.auc", 0.49, 0.60, 0.01),  # not clearly
        drawn("c.auc", 0.40, 0.45, 0.01),  # as the old ones
        drawn("d.gauc", 0.40, 0.60, 0.01),
    ]
    assert reversed_scores(aucs, 0.01) == ["a.auc"]


def test_equal_models_are_refused_no_more_often_than_the_level_says():
    """100 pairs of equal models, with bounds that allow no loss at all: about 5 alarms at most at a level of 5 %."""
    random = np.random.default_rng(7)
    alarms = 0
    for seed in range(100):
        found = measured(equal_pair(random), 100, seed)
        tests = count_tests(AT_THE_BOUND, found, [])
        alarms += any(check.refuses for check in judged(AT_THE_BOUND, found, LEVEL, tests))
    assert alarms <= 100 * LEVEL


def test_worse_models_are_refused():
    """The new model's noise is tripled, so that its AUC falls by about .05: seen in most pairs."""
    random = np.random.default_rng(7)
    alarms = 0
    for seed in range(20):
        pair = equal_pair(random, groups=400)
        worse = sigmoid(np.log(pair.new / (1 - pair.new)) + 1.5 * random.normal(size=len(pair.new)))
        found = measured(pair._replace(new=worse), 50, seed)
        checks = judged(AT_THE_BOUND, found, LEVEL, count_tests(AT_THE_BOUND, found, []))
        alarms += checks[0].refuses
    assert alarms >= 18
