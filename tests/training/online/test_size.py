"""Units for a wanted power, checked by simulation."""

from datetime import timedelta

import numpy as np
import pytest

from tests.training.online.world import config_of
from training.config.online import Power
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums
from training.online.observed import Observed
from training.online.size import Traffic, size_lines, units_needed


def test_the_computed_units_have_the_wanted_power() -> None:
    random = np.random.default_rng(0)
    ones = np.ones(20_000)
    sums = UnitSums(
        ["control"], np.zeros(20_000, dtype=np.intp), {"reward": RatioSums(random.normal(2, 1, 20_000), ones)}
    )
    traffic = Traffic.of(Observed(sums, np.arange(20_000), ones), timedelta(hours=10))
    assert traffic.hours(4000) == pytest.approx(2.0)
    share, control = 0.25, 0.5
    units = units_needed(traffic, Power(gain=0.1, chance=0.8), share, control, 0.05)
    assert units == pytest.approx((1 / share + 1 / control) * (2.8016 / 0.2) ** 2, rel=0.03)
    found = 0
    for _ in range(400):
        groups = random.choice(3, units, p=[control, share, 1 - control - share])
        reward = random.normal(2, 1, units) + 0.2 * (groups == 1)
        one = UnitSums(["control", "s1", "s2"], groups, {"reward": RatioSums(reward, np.ones(units))})
        low, _ = compare(one, "reward", "control")[0].interval
        found += low > 0
    assert found / 400 == pytest.approx(0.8, abs=0.05)


def test_in_words() -> None:
    traffic = Traffic(2.0, 1.0, 1000, 3000, timedelta(hours=10))
    lines = size_lines(config_of(power={"gain": 0.1}), traffic)
    assert lines[0].startswith("a round shows a gain of 10.0% in one set with a probability of 80% from 2,453 units")
    assert lines[1].startswith(
        "the confirmation shows a gain of 10.0% in one set with a probability of 80% from 785 units"
    )
    assert size_lines(config_of(), None) == ["the logs hold too little to say how many units a round needs"]
