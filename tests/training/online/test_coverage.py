"""How often the interval of a confirmation holds the true gain: many draws of users into two groups, one crowd."""

import numpy as np
import pytest
from scipy.stats import binom

from ranker.fusion import FusionOptions, build_plan
from tests.training.online.coverage import both_ways, confirmations
from tests.training.online.shop import crowd_of, true_scores
from training.simulator import SimulatorConfig, World
from training.simulator.world import OBJECTIVES

DRAWS = 150


@pytest.fixture(scope="module")
def world() -> World:
    return World(SimulatorConfig(rows=100_000, seed=3, users=3_000, items=1_000, authors=100, days=5))


def test_the_interval_of_a_confirmation_misses_the_true_gain_as_often_as_it_says(world: World) -> None:
    kinds = {name: "regression" if name == "watch_time" else "binary" for name in OBJECTIVES}
    shares = {"click": 0.2, "long_view": 0.2, "like": 0.5, "share": 0.5, "watch_time": 0.1}
    today = build_plan(FusionOptions.model_validate({"name": "additive", "parameters": {"share": shares}}), kinds)
    winner = today.replaced({"share": {**shares, "like": 3.0, "share": 3.0}})
    found = both_ways(crowd_of(world, 7, 5), (today, winner), true_scores, 6000)
    judged = confirmations(found, [f"confirm-{number}" for number in range(DRAWS)])
    assert 0 < found.gain < 0.2
    low, high = binom.ppf([0.001, 0.999], DRAWS, 0.95)
    assert low <= judged.covers.sum() <= high
    assert abs(judged.off.mean()) < 3.3 / np.sqrt(DRAWS) + found.luck
    assert judged.off.std() == pytest.approx(1.0, abs=0.15)
