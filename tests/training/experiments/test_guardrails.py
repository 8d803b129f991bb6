"""Guardrails: what holds, is broken, or cannot be told."""

import numpy as np
import pytest

from tests.training.experiments.samples import NAMES, mean_of, visits
from training.experiments.critical import Sequential
from training.experiments.guardrails import checked, guardrail_of
from training.experiments.metrics import MetricError
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums

KINDS = ["click", "watch", "close"]


@pytest.mark.parametrize(
    ("text", "better", "bound", "relative"),
    [
        ("watch.value / users >= -1%", "more", -0.01, True),
        ("close / requests<=+2.5 %", "less", 0.025, True),
        ("(click >= 2) / users >= -.01", "more", -0.01, False),
        ("x = click / users >= 0", "more", 0.0, False),
        ("click / users <= 1e-3", "less", 0.001, False),
    ],
)
def test_guardrails_as_text(text, better, bound, relative):
    found = guardrail_of(text, KINDS)
    assert (found.metric.better, found.relative) == (better, relative)
    assert found.bound == pytest.approx(bound)


@pytest.mark.parametrize(
    "text", ["", "click / users", "click / users > 0", "click / users >= x", ">= 1", "click >= -1%", "a / b >= 1"]
)
def test_what_is_no_guardrail_is_refused(text):
    with pytest.raises(MetricError):
        guardrail_of(text, KINDS)


def state(text, control, bold, level=0.05, method=None):
    options = {} if method is None else {"method": method}
    differences = compare(mean_of(control, bold), "m", "control", **options)
    [found] = checked([(guardrail_of(text, KINDS), differences)], level)
    return found


def spread(mean, count=400, error=0.01):
    """Values whose mean has an error."""
    values = np.tile([-1.0, 1.0], count // 2)
    return mean + error * np.sqrt(count) * values / values.std(ddof=1)


@pytest.mark.parametrize(
    ("text", "bold", "expected"),
    [
        ("click / users >= -5%", 1.0, "holds"),
        ("click / users >= -1%", 1.0, "undecided"),
        ("click / users >= -5%", 0.965, "undecided"),
        ("click / users >= -5%", 0.9, "broken"),
        ("click / users <= 5%", 1.0, "holds"),
        ("click / users <= 5%", 1.1, "broken"),
        ("click / users >= -0.05", 1.0, "holds"),
        ("click / users >= 0.05", 1.1, "holds"),
        ("click / users >= 0.05", 1.0, "broken"),
    ],
)
def test_what_the_data_shows(text, bold, expected):
    found = state(text, spread(1.0), spread(bold))
    assert found.state == expected
    assert expected in str(found)
    assert found.low < found.value < found.high


def test_a_guardrail_that_holds_by_a_hair_is_called_held_by_chance_at_the_level():
    rng, held = np.random.default_rng(6), 0
    for _ in range(600):
        control, bold = rng.gamma(2.0, 1.0, 200), 0.9 * rng.gamma(2.0, 1.0, 200)
        held += state("click / users >= -10%", control, bold, level=0.1).state == "holds"
    assert 0.06 < held / 600 < 0.14  # exactly at the bound


def test_more_guardrails_raise_no_more_alarms_but_hold_as_before():
    units = UnitSums(NAMES, visits(1).group, {"m": RatioSums(np.r_[spread(1.0), spread(0.93)], np.ones(800))})
    differences = compare(units, "m", "control")
    rails = [guardrail_of(text, KINDS) for text in ("click / users >= -3%", "click / users >= -12%")]
    alone = [checked([(rail, differences)], 0.05)[0] for rail in rails]
    among = checked([(rail, differences) for rail in rails * 20], 0.05)[:2]
    assert [one.state for one in alone] == ["broken", "holds"]
    assert [one.state for one in among] == ["undecided", "holds"]
    assert among[1].low == alone[1].low


def test_what_cannot_be_checked_is_undecided_with_a_reason():
    zeros = state("click / users >= -1%", np.zeros(50), np.zeros(50))
    assert (zeros.state, zeros.value, zeros.low) == ("undecided", None, None)
    assert "cannot be checked: only 0 units" in str(zeros)
    negative = state("click / users >= -1%", spread(-1.0), spread(1.0))
    assert negative.undefined == "the control's value may be 0, so a relative bound cannot be tested"
    unknown = state("click / users >= -1", spread(1.0), spread(1.0), method=Sequential(1e-200))
    assert (unknown.state, unknown.undefined) == ("undecided", "too little is known yet")
    assert unknown.to_dict()["low"] is None


def test_a_relative_guardrail_is_checked_though_the_control_hardly_has_any_events():
    few, many = (np.arange(5000) < count for count in (2, 300))
    found = state("click / users <= 50%", few.astype(float), many.astype(float))
    assert (found.state, found.low, found.undefined) == ("broken", None, None)
    assert str(found) == "guardrail click / users <= 50%: broken, though the control's value may be 0"
    assert state("click / users <= 50%", np.zeros(5000), many.astype(float)).state == "broken"
    assert state("click / users >= -50%", few.astype(float), many.astype(float)).state == "holds"
    assert state("click / users <= 50%", many.astype(float), few.astype(float)).state == "holds"


@pytest.mark.parametrize("text", ["click / users >= -5%", "click / users >= -0.05", "click / users <= 5%"])
def test_nothing_is_told_while_intervals_at_all_times_are_infinite(text):
    found = state(text, spread(1.0), spread(2.0), method=Sequential(1e-5))
    assert (found.state, found.low, found.undefined) == ("undecided", None, "too little is known yet")
