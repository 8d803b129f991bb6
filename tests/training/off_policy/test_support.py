"""Reasons not to trust an estimate."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.off_policy import worlds
from training.config.experiment import ConfigError
from training.off_policy.estimate import Interval, estimate
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.options import EvaluationOptions
from training.off_policy.sample import compared
from training.off_policy.support import doubts, reasons, support_of


@pytest.fixture
def sample():
    lists, logged = worlds.every_list(worlds.place_reward)
    sides = [worlds.orders(lists, fused, worlds.SOFT) for fused in (worlds.LOGGING, worlds.TARGET)]
    return compared(logged, *sides, places=3, draws=4, seed=0)


def test_few_requests_are_too_few(sample):
    one = estimate(sample, "list_ips")
    assert reasons(one, support_of(sample), EvaluationOptions(least_effective=1)) == []
    (reason,) = reasons(one, support_of(sample), EvaluationOptions(least_effective=100))
    assert reason.startswith(f"the effective sample size is {one.least_effective:,.0f} requests, less than 100")


def test_places_count_where_they_exist(sample):
    outside_at = np.zeros((24, 3))
    outside_at[:12, 1] = 0.5
    outside_at[12:, 2] = 1.0
    has = np.ones((24, 3), dtype=bool)
    has[12:, 2] = False
    support = support_of(replace(sample, outside=np.repeat([0.0, 0.2], 12), outside_at=outside_at, has=has))
    assert support.outside == pytest.approx(0.1)
    assert support.outside_at == pytest.approx([0.0, 0.25, 0.0])
    options = EvaluationOptions(least_effective=0, most_outside=0.15)
    assert not reasons(estimate(sample, "list_snips"), support, options)
    assert "25.0% of what it shows at some place" in reasons(estimate(sample, "place_dr"), support, options)[0]


def test_disagreement_of_assumptions_is_told(sample):
    near = Interval(1.0, 0.5, 0.0, 2.0)
    estimates = {name: replace(estimate(sample, name), gain=near) for name in ESTIMATORS}
    none = dict.fromkeys(ESTIMATORS, ())
    assert doubts("place_dr", estimates, none) == []
    gain = Interval(9.0, 0.1, 8.8, 9.2)
    apart = estimates | {"list_ips": replace(estimates["list_ips"], gain=gain)}
    assert len(doubts("place_dr", apart, none)) == 1
    assert doubts("place_dr", apart, none | {"list_ips": ["too few"]}) == []
    assert doubts("list_snips", apart, none) == []  # which assumes the same
    clipped = estimates | {"place_dr": estimate(sample, "place_dr", clip=1.1)}
    assert any("weights are clipped" in doubt for doubt in doubts("place_dr", clipped, none))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"estimator": "place"}, "--by: 'place' is no estimator; did you mean"),
        ({"level": 1.0}, "--level: must be above 0 and below 1, got 1"),
        ({"places": 0}, "--places: must be from 1 to 1000, got 0"),
        ({"draws": 0}, "--draws"),
        ({"clip": 0.5}, "--clip: must be at least 1, got 0.5"),
        ({"most_outside": 2.0}, "--most-outside"),
        ({"least_effective": -1.0}, "--least-effective"),
    ],
)
def test_options_have_bounds(given, message):
    with pytest.raises(ConfigError, match=message):
        EvaluationOptions(**given)


def test_the_default_estimator_depends_on_the_model():
    assert EvaluationOptions().judged(with_model=True) == "place_dr"
    assert EvaluationOptions().judged(with_model=False) == "place_snips"
    assert EvaluationOptions(estimator="cascade_ips").judged(with_model=False) == "cascade_ips"
