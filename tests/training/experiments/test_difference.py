"""When a difference is told, and as what data."""

import json

import numpy as np
import pytest

from tests.training.experiments.samples import mean_of, visits
from training.experiments.critical import Sequential
from training.experiments.difference import FEWEST_ACTIVE
from training.experiments.statistics import compare


def test_too_few_units_with_events_tell_nothing():
    few, enough = (np.arange(200) < count for count in (FEWEST_ACTIVE - 1, FEWEST_ACTIVE))
    none = np.zeros(200)
    assert compare(mean_of(none, few), "m", "control")[0].p is None
    assert compare(mean_of(none, enough), "m", "control")[0].p < 0.01


@pytest.mark.parametrize("method", [Sequential(0.01), Sequential(1e-200)])
def test_numbers_are_json_even_if_an_interval_has_no_ends(method):
    [found] = compare(visits(1), "m", "control", method=method)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["difference"] == found.difference
    assert told["method"] == "sequential"
    assert told["p"] <= 1
    assert (told["low"] is None) == (method.effect < 1e-100)
    assert found.relative_interval is None or told["relative_low"] == found.relative_interval[0]


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e150, 1e153, 1e155, 1e160, 1e300])
def test_numbers_of_any_size_are_compared_or_refused(scale):
    values = 1.0 + 0.01 * np.sin(np.arange(200))
    [found] = compare(mean_of(scale * values, scale * (values + 0.1)), "m", "control")
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    if found.undefined:
        assert "too large" in found.undefined or "alike" in found.undefined
        assert (told["p"], told["low"]) == (None, None)
    else:
        assert found.relative == pytest.approx(0.1, rel=0.01)
        assert found.relative_interval == pytest.approx((0.0974, 0.1021), abs=0.003)


def test_another_level_changes_the_interval_alone():
    [found] = compare(visits(2, like_before=0.5), "m", "control")
    wide = found.at(0.001)
    assert wide.interval[0] < found.interval[0] < found.interval[1] < wide.interval[1]
    assert (wide.p, wide.saved, wide.difference) == (found.p, found.saved, found.difference)
    assert wide.at(found.level) == found
