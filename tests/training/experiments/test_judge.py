"""Verdicts on groups and experiments."""

import numpy as np
import pytest

from tests.training.experiments.samples import NAMES
from training.experiments.assignment import mismatch
from training.experiments.critical import FIXED, Sequential
from training.experiments.guardrails import guardrail_of
from training.experiments.judge import (
    Plan,
    Verdict,
    comparisons,
    group_verdict,
    guardrail_checks,
    overall,
    planned_level,
)
from training.experiments.metrics import metric_of
from training.experiments.unit_sums import RatioSums, UnitSums

KINDS = ["click", "close"]
COUNT = 400


def plan(guardrails=(), metrics=("click / users",), **changes):
    found = {
        "control": "control",
        "groups": ["bold"],
        "metrics": [metric_of(text, KINDS, "less" if "close" in text else "more") for text in metrics],
        "guardrails": [guardrail_of(text, KINDS) for text in guardrails],
        "level": 0.05,
        "correction": "holm",
        "method": FIXED,
        "effect": 0.05,
        "power": 0.8,
    }
    return Plan(**(found | changes))


def units(asked, **lifts):
    """Every metric is 1 with an error of 0.01 in control; ``lifts`` by the kind that a formula begins with."""
    noise = np.tile([-1.0, 1.0], COUNT // 2)
    noise *= 0.01 * np.sqrt(COUNT) / noise.std(ddof=1)
    sums = {}
    names = [(one.name, one.formula) for one in asked.metrics]
    names += [(one.text, one.metric.formula) for one in asked.guardrails]
    for name, formula in names:
        lift = next((lift for kind, lift in lifts.items() if formula.startswith(kind)), 0.0)
        sums[name] = RatioSums(np.concatenate([1 + noise, 1 + lift + noise]), np.ones(2 * COUNT))
    return UnitSums(NAMES, np.repeat([0, 1], COUNT), sums)


def state(asked, **lifts):
    given = units(asked, **lifts)
    verdict = group_verdict("bold", comparisons(given, asked), guardrail_checks(given, asked))
    return verdict.state, verdict.why


RAIL = ("close / users <= 3%",)


@pytest.mark.parametrize(
    ("guardrails", "lifts", "expected"),
    [
        ((), {"click": 0.1}, "win"),
        ((), {"click": -0.1}, "harm"),
        ((), {"click": 0.0}, "no harm"),  # a loss of 5 % is excluded
        ((), {"click": -0.0275}, "undecided"),
        (RAIL, {"click": 0.1, "close": -0.01}, "win"),
        (RAIL, {"click": 0.1, "close": 0.02}, "undecided"),
        (RAIL, {"click": 0.1, "close": 0.1}, "harm"),
        (RAIL, {"click": 0.0, "close": -0.01}, "no harm"),
        (RAIL, {"click": 0.0, "close": 0.1}, "harm"),
    ],
)
def test_the_verdict_on_a_group(guardrails, lifts, expected):
    found, why = state(plan(guardrails), **lifts)
    assert found == expected
    assert why


def test_less_is_better_where_the_metric_says_so():
    asked = plan(metrics=("close / users",))
    assert state(asked, close=-0.1)[0] == "win"
    assert state(asked, close=0.1)[0] == "harm"
    assert state(asked, close=0.0)[0] == "no harm"


def test_a_metric_that_is_undefined_leaves_the_verdict_open():
    asked = plan()
    zeros = UnitSums(NAMES, np.repeat([0, 1], 50), {"click / users": RatioSums(np.zeros(100), np.ones(100))})
    verdict = group_verdict("bold", comparisons(zeros, asked), [])
    assert verdict.state == "undecided"
    assert verdict.why == ["click / users: undefined: only 0 units have a numerator other than 0; it takes at least 10"]


def test_all_metrics_and_groups_are_corrected_together():
    asked = plan(metrics=("click / users", "close / users"))
    found = comparisons(units(asked, click=0.03, close=0.1), asked)
    assert [one.difference.level for one in found] == [0.05, 0.025]  # Holm: the clearer one first
    assert [one.outcome for one in found] == ["better", "worse"]
    alone = comparisons(units(asked, click=0.03, close=0.0), asked)
    assert [one.outcome for one in alone] == ["open", "open"]  # 2.1 errors, p = 0.034
    assert planned_level(asked) == 0.025
    assert planned_level(plan(correction="none", metrics=("click / users", "close / users"))) == 0.05


def test_groups_that_are_not_asked_for_are_neither_judged_nor_corrected_for():
    asked = plan(groups=["bold"])
    noise = np.tile([-1.0, 1.0], 150)
    given = UnitSums(
        ["control", "bold", "other"],
        np.repeat([0, 1, 2], 100),
        {"click / users": RatioSums(10 + noise, np.ones(300))},
    )
    assert [one.difference.group for one in comparisons(given, asked)] == ["bold"]
    assert comparisons(given, asked)[0].difference.level == 0.05


def test_sequential_verdicts_take_more_evidence():
    assert state(plan(), click=0.032)[0] == "win"
    assert state(plan(method=Sequential(0.05)), click=0.032)[0] != "win"
    assert state(plan(method=Sequential(0.05)), click=0.1)[0] == "win"


def test_the_experiment_has_the_verdict_of_its_worst_group():
    verdicts = {"a": Verdict("win", ["x"]), "b": Verdict("undecided", ["y"]), "c": Verdict("no harm", ["z"])}
    assert overall(verdicts, None, 0, 100) == Verdict("undecided", ["b: y"])
    assert overall(verdicts | {"d": Verdict("harm", ["w"])}, None, 0, 100) == Verdict("harm", ["d: w"])
    assert overall({"a": verdicts["a"], "c": verdicts["c"]}, None, 0, 100).state == "win"


def test_numbers_that_cannot_be_trusted_have_no_other_verdict():
    verdicts = {"bold": Verdict("harm", ["x"])}
    even = {"control": 0.5, "bold": 0.5}
    lost = mismatch({"control": 1000, "bold": 800}, even, 0.001, sequential=False)
    fine = mismatch({"control": 1000, "bold": 990}, even, 0.001, sequential=False)
    found = overall(verdicts, lost, 0, 1800)
    assert found.state == "not trusted"
    assert "control 1,000, bold 800 units, where control 900, bold 900 are expected" in found.why[0]
    assert overall(verdicts, fine, 0, 1990).state == "harm"
    assert overall(verdicts, fine, 15, 985).why == ["15 of 1,000 units were in several groups"]
    assert overall(verdicts, fine, 10, 990).state == "harm"
