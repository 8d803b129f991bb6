"""The verdict on an experiment: differences, guardrails, and whether the numbers can be trusted at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from training.experiments.assignment import Mismatch
from training.experiments.corrections import CORRECTIONS
from training.experiments.critical import Critical
from training.experiments.difference import Difference
from training.experiments.guardrails import Check, Guardrail, checked
from training.experiments.metrics import Metric
from training.experiments.statistics import compare
from training.experiments.unit_sums import UnitSums

Outcome: TypeAlias = Literal["better", "worse", "open"]
State: TypeAlias = Literal["win", "no harm", "harm", "undecided", "not trusted"]
MOST_TANGLED = 0.01
"""Largest fraction of units in several groups that a verdict survives."""


@dataclass(frozen=True)
class Plan:
    """How an experiment is judged.

    Attributes
    ----------
    control, groups
        The control, and the groups that are judged against it.
    metrics, guardrails
        What is compared.
    level
        Probability of a false alarm, as the correction promises it.
    correction
        A name in ``CORRECTIONS``.
    method
        How intervals are computed.
    effect
        Relative effect that matters: a group without a difference does no harm if its loss is shown to be smaller.
    power
        Probability with which an effect is to be found.
    """

    control: str
    groups: Sequence[str]
    metrics: Sequence[Metric]
    guardrails: Sequence[Guardrail]
    level: float
    correction: str
    method: Critical
    effect: float
    power: float


@dataclass(frozen=True)
class Comparison:
    """A metric of a group against the control.

    Attributes
    ----------
    metric
        The metric.
    difference
        With the interval at the level that the correction leaves it.
    p
        P-value after the correction; ``None`` if undefined.
    outcome
        Whether the group is ``better`` or ``worse``, or the data does not tell.
    harmless
        Whether the data shows that a loss, if any, is smaller than the effect that matters.
    """

    metric: Metric
    difference: Difference
    p: float | None
    outcome: Outcome
    harmless: bool

    def __str__(self) -> str:
        """One line."""
        one = self.difference
        if one.undefined:
            return f"{self.metric.name}: undefined: {one.undefined}"
        ends, value = one.relative_interval, one.relative
        if ends is None or value is None:
            low, high = one.interval or (np.nan, np.nan)
            return f"{self.metric.name}: {self.outcome}, {one.difference:+.4g} [{low:+.4g}, {high:+.4g}]"
        return f"{self.metric.name}: {self.outcome}, {value:+.2%} [{ends[0]:+.2%}, {ends[1]:+.2%}]"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **self.difference.to_dict(),
            "formula": self.metric.formula,
            "better": self.metric.better,
            "p_corrected": self.p,
            "outcome": self.outcome,
            "harmless": self.harmless,
        }


@dataclass(frozen=True)
class Verdict:
    """What the data says of one group, or of the experiment; ``why`` has a line for each reason."""

    state: State
    why: list[str]


def comparisons(units: UnitSums, plan: Plan) -> list[Comparison]:
    """All metrics of all groups, corrected together; metric by metric."""
    found = [
        (metric, one)
        for metric in plan.metrics
        for one in compare(units, metric.name, plan.control, plan.level, plan.method)
        if one.group in plan.groups
    ]
    p_values = np.array([one.p for _, one in found if one.p is not None])
    corrected = CORRECTIONS[plan.correction](p_values, plan.level)
    levels = iter(zip(corrected.levels.tolist(), corrected.p_values.tolist(), strict=True))
    return [
        _comparison(metric, one, *next(levels), plan)
        if one.p is not None
        else Comparison(metric, one, None, "open", harmless=False)
        for metric, one in found
    ]


def planned_level(plan: Plan) -> float:
    """Level at which one comparison is certain to be called a difference, whatever the others show."""
    count = len(plan.metrics) * len(plan.groups)
    return float(CORRECTIONS[plan.correction](np.ones(count), plan.level).levels[0])


def guardrail_checks(units: UnitSums, plan: Plan) -> list[Check]:
    """All guardrails of all groups."""
    pairs = [
        (
            rail,
            [
                one
                for one in compare(units, rail.text, plan.control, plan.level, plan.method)
                if one.group in plan.groups
            ],
        )
        for rail in plan.guardrails
    ]
    return checked(pairs, plan.level)


def group_verdict(group: str, found: Sequence[Comparison], checks: Sequence[Check]) -> Verdict:
    """The verdict on a group.

    ``harm``: a metric is worse or a guardrail broken. ``undecided``: a guardrail is, or there is no difference and an
    effect that matters is not excluded. ``win``: a metric is better. ``no harm``: neither, and no loss that matters.
    """
    own = [one for one in found if one.difference.group == group]
    rails = [one for one in checks if one.group == group]
    harm = [*(one for one in rails if one.state == "broken"), *(one for one in own if one.outcome == "worse")]
    if harm:
        return Verdict("harm", list(map(str, harm)))
    open_rails = [one for one in rails if one.state == "undecided"]
    better = [one for one in own if one.outcome == "better"]
    if open_rails:
        return Verdict("undecided", list(map(str, [*open_rails, *better])))
    if better:
        return Verdict("win", list(map(str, better)))
    unclear = [one for one in own if not one.harmless]
    return Verdict("undecided" if unclear else "no harm", list(map(str, unclear or own)))


def overall(verdicts: Mapping[str, Verdict], mismatch: Mismatch | None, tangled: int, units: int) -> Verdict:
    """The verdict on the experiment: that of its worst group, unless the numbers cannot be trusted."""
    doubts = []
    if mismatch is not None and mismatch.failed:
        doubts.append(
            f"sample ratio mismatch: {_listed(mismatch.units)} units, where {_listed(mismatch.expected)} are expected "
            f"(p = {mismatch.p:.2g}); assignment or logging loses units of a group"
        )
    if tangled > MOST_TANGLED * (units + tangled):
        doubts.append(f"{tangled:,} of {units + tangled:,} units were in several groups")
    if doubts:
        return Verdict("not trusted", doubts)
    order: list[State] = ["harm", "undecided", "win", "no harm"]
    worst = min((one.state for one in verdicts.values()), key=order.index)
    reasons = [f"{name}: {line}" for name, one in verdicts.items() if one.state == worst for line in one.why]
    return Verdict(worst, reasons)


def _comparison(metric: Metric, one: Difference, level: float, p: float, plan: Plan) -> Comparison:
    told = one.at(level)
    low, high = told.interval or (-np.inf, np.inf)
    outcome: Outcome = "open"
    if low > 0 or high < 0:
        outcome = "better" if (low > 0) == (metric.better == "more") else "worse"
    ends = one.at(2 * plan.level).relative_interval
    harmless = ends is not None and (ends[0] > -plan.effect if metric.better == "more" else ends[1] < plan.effect)
    return Comparison(metric, told, p, outcome, harmless)


def _listed(numbers: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {number:,.0f}" for name, number in numbers.items())
