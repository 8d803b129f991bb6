"""An experiment that has been judged, and all that the verdict rests on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ranker.iso_times import DAY_MS
from training.experiments.assignment import Mismatch
from training.experiments.collect import Assignment, Collected, names_in, unit_sums
from training.experiments.covariates import Covariate
from training.experiments.difference import Difference
from training.experiments.events import EventCounts
from training.experiments.guardrails import Check
from training.experiments.judge import (
    Comparison,
    Plan,
    State,
    Verdict,
    comparisons,
    group_verdict,
    guardrail_checks,
    overall,
    planned_level,
)
from training.experiments.metrics import Metric, MetricError
from training.experiments.outlook import Outlook, outlook
from training.experiments.statistics import compare
from training.experiments.unit_sums import RatioSums, UnitSums

LARGEST_PART = 0.1
"""Largest part of a group's numerator that one unit may have without a word."""
STATUS: Mapping[State, int] = {"win": 0, "no harm": 0, "harm": 3, "not trusted": 4, "undecided": 5}
"""Exit status of the command by verdict."""


@dataclass(frozen=True)
class Day:
    """Cumulative differences up to the end of a day; ``days`` since the first request."""

    end: int
    days: float
    differences: list[Difference]


@dataclass(frozen=True, eq=False)
class Judgement:
    """A judged experiment.

    Attributes
    ----------
    experiment, plan
        Which one, and how.
    verdict, verdicts
        On the experiment, and by group.
    comparisons, checks, outlooks
        Differences, guardrails and power, by metric and group.
    days
        Differences as they grew.
    assignment, mismatch
        Units by group, and the test of their shares; ``None``: no shares are known.
    events
        What became of the events.
    first, last
        Times of the first and the last request, in milliseconds since 1970.
    notes
        What a reader should know.
    """

    experiment: str
    plan: Plan
    verdict: Verdict
    verdicts: dict[str, Verdict]
    comparisons: list[Comparison]
    checks: list[Check]
    outlooks: list[Outlook]
    days: list[Day]
    assignment: Assignment
    mismatch: Mismatch | None
    events: EventCounts
    first: int
    last: int
    notes: list[str]

    @property
    def state(self) -> State:
        """The verdict in a word."""
        return self.verdict.state

    @property
    def status(self) -> int:
        """Exit status."""
        return STATUS[self.state]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; what is undefined or infinite is ``None``."""
        plan, assignment = self.plan, self.assignment
        return {
            "experiment": self.experiment,
            "state": self.state,
            "status": self.status,
            "why": self.verdict.why,
            "control": plan.control,
            "first": shown_time(self.first),
            "last": shown_time(self.last),
            "method": plan.method.name,
            "level": plan.level,
            "correction": plan.correction,
            "effect": plan.effect,
            "power": plan.power,
            "groups": {
                name: {
                    "units": assignment.units[name],
                    "requests": assignment.requests[name],
                    **({"state": one.state, "why": one.why} if (one := self.verdicts.get(name)) else {}),
                }
                for name in assignment.units
            },
            "comparisons": [one.to_dict() for one in self.comparisons],
            "guardrails": [one.to_dict() for one in self.checks],
            "outlooks": [one.to_dict() for one in self.outlooks],
            "mismatch": None if self.mismatch is None else self.mismatch.to_dict(),
            "assignment": {name: getattr(assignment, name) for name in ("tangled", "nameless", "outside", "others")},
            "events": asdict(self.events),
            "days": [
                {"end": shown_time(day.end), "comparisons": [one.to_dict() for one in day.differences]}
                for day in self.days
            ],
            "notes": self.notes,
        }


def judged(
    collected: Collected,
    plan: Plan,
    mismatch: Mismatch | None,
    events: EventCounts,
    covariates: Mapping[str, Covariate] | None = None,
    notes: Sequence[str] = (),
) -> Judgement:
    """Judge an experiment from its requests and events. Raises ``MetricError`` for a metric that is undefined."""
    rails = [_renamed(one.metric, one.text) for one in plan.guardrails]
    every = [*plan.metrics, *rails]
    units = unit_sums(collected, every, covariates=covariates)
    found, checks = comparisons(units, plan), guardrail_checks(units, plan)
    verdicts = {group: group_verdict(group, found, checks) for group in plan.groups}
    days = list(_days(collected, plan, covariates))
    assignment = collected.assignment
    return Judgement(
        experiment=collected.experiment,
        plan=plan,
        verdict=overall(verdicts, mismatch, assignment.tangled, len(collected.keys)),
        verdicts=verdicts,
        comparisons=found,
        checks=checks,
        outlooks=list(_outlooks(found, days, plan, max((collected.last - collected.first) / DAY_MS, 1e-6))),
        days=days,
        assignment=assignment,
        mismatch=mismatch,
        events=events,
        first=collected.first,
        last=collected.last,
        notes=[*notes, *_saved(found), *_imbalance(units, plan), *_outliers(units, plan)],
    )


def shown_time(milliseconds: int) -> str:
    """A time in ISO form."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _renamed(metric: Metric, name: str) -> Metric:
    return Metric(name, metric.formula, metric.better, metric.numerator, metric.denominator)


def _days(collected: Collected, plan: Plan, covariates: Mapping[str, Covariate] | None) -> Iterator[Day]:
    level = planned_level(plan)
    for end, totals in collected.by_day(names_in(plan.metrics)):
        found = []
        for metric in plan.metrics:
            try:
                units = unit_sums(collected, [metric], totals, covariates)
            except MetricError:
                continue  # undefined for units that have done too little yet
            pairs = compare(units, metric.name, plan.control, level, plan.method)
            found += [one for one in pairs if one.group in plan.groups]
        yield Day(end, (end - collected.first) / DAY_MS, found)


def _outlooks(found: Sequence[Comparison], days: Sequence[Day], plan: Plan, elapsed: float) -> Iterator[Outlook]:
    level = planned_level(plan)
    for one in found:
        now = one.difference.at(level)
        same = (now.metric, now.group)
        series = [(day.days, other) for day in days for other in day.differences if (other.metric, other.group) == same]
        told = outlook(now, series, plan.effect, plan.power, elapsed)
        if told is not None:
            yield told


def _saved(found: Sequence[Comparison]) -> Iterator[str]:
    """What the covariate took away."""
    for one in found:
        saved = one.difference.saved
        if saved is not None:
            yield f"{one.metric.name}, {one.difference.group}: the covariate takes away {saved:.0%} of the variance"


def _imbalance(units: UnitSums, plan: Plan) -> Iterator[str]:
    """Groups that differed before the experiment, by a test at a level that few experiments reach by chance."""
    for metric in plan.metrics:
        before = units.metrics[metric.name].before
        if before is None:
            continue
        earlier = UnitSums(units.groups, units.group, {metric.name: RatioSums(*before)})
        for one in compare(earlier, metric.name, plan.control):
            if one.group in plan.groups and one.p is not None and one.p < 0.001:
                yield (
                    f"{metric.name}: {one.group} and {plan.control} differed before the experiment (p = {one.p:.2g}), "
                    "so something besides the experiment sets them apart"
                )


def _outliers(units: UnitSums, plan: Plan) -> Iterator[str]:
    """Groups whose metric rests on one unit: with more than a few units, none of which should have so large a part."""
    for metric in plan.metrics:
        numerator = units.metrics[metric.name].numerator
        for index, group in enumerate(units.groups):
            own = np.abs(numerator[units.group == index])
            if group in (plan.control, *plan.groups) and own.size > 2 / LARGEST_PART:
                with np.errstate(over="ignore"):  # a sum beyond all numbers hides no outlier: it is refused elsewhere
                    part = float(own.max() / own.sum()) if own.sum() > 0 else 0.0
                if part > LARGEST_PART:
                    yield (
                        f"{metric.name}: one unit has {part:.0%} of the numerator of {group}, so chance may be larger "
                        "than the interval says; a cap such as min(watch.value, 3600) / users bounds what one counts"
                    )
