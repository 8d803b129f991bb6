"""The page of an experiment: the verdict, differences, guardrails, power, and how all of it grew."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.experiments.corrections import PROMISES
from training.experiments.difference import Difference
from training.experiments.guardrails import Check
from training.experiments.judge import State
from training.experiments.judgement import Judgement, shown_time
from training.reports.charts import Chart, bands, bars, intervals
from training.reports.page import Page

GROUP_HEADERS = ("group", "units", "expected", "requests", "verdict")
COMPARISON_HEADERS = ("metric", "group", "value", "control", "relative", "interval", "p, corrected", "")
CHECK_HEADERS = ("guardrail", "group", "measured", "interval", "")
OUTLOOK_HEADERS = ("metric", "group", "smallest effect found by now", "power for the effect", "days until it is found")
ABSOLUTE = " (absolute)"
"""Ends the title of a chart of differences in the metric's unit."""
SENTENCES: Mapping[State, str] = {
    "win": "Win: a metric is better, none is worse, and all guardrails hold.",
    "no harm": "No harm: no difference is shown, and any loss is smaller than the effect that matters.",
    "harm": "Harm: a metric is worse, or a guardrail is broken.",
    "undecided": "Undecided: the data does not tell yet.",
    "not trusted": "Not to be trusted: the groups are not what they should be, whatever the differences are.",
}


def to_html(found: Judgement) -> str:
    """Self-contained page."""
    page = Page(f"Experiment {found.experiment}")
    page.text(sentence(found))
    for line in found.verdict.why:
        page.note(line)
    page.text(explained(found))
    page.heading("Groups").table(GROUP_HEADERS, group_lines(found))
    page.chart(_counts(found))
    for name, verdict in found.verdicts.items():
        page.heading(f"{name}: {verdict.state}", level=3)
        for line in verdict.why:
            page.text(line)
    page.heading("Differences").text(
        f"To {found.plan.control}. Bars are intervals at the level that the correction leaves each; a difference is "
        "called better or worse if its interval excludes 0. A red tick is a guardrail."
    )
    for metric, records in _by_metric(found).items():
        axis = "difference" if metric.endswith(ABSOLUTE) else "relative difference"
        page.chart(intervals(records, title=metric, axis=axis))
    page.table(COMPARISON_HEADERS, comparison_lines(found))
    if found.checks:
        page.heading("Guardrails").text(
            "A guardrail holds if the whole interval is on its good side, is broken if the whole interval is on its "
            "bad side, and is undecided otherwise."
        )
        page.table(CHECK_HEADERS, check_lines(found.checks))
    if found.outlooks:
        page.heading("Power").text(
            f"Effects are found with a probability of {found.plan.power:.0%}, at the level of one comparison; the "
            f"effect is {found.plan.effect:.3g} of the control's value. Days count from the first request."
        )
        page.table(OUTLOOK_HEADERS, outlook_lines(found))
    charts = _over_time(found)
    if charts:
        page.heading("Over time").text(
            "Differences of all requests up to the end of each day (UTC), events on the day of their request. "
            + (
                "The intervals hold on all days at once."
                if found.plan.method.name == "sequential"
                else "An interval holds on one day that was chosen in advance: whoever looks every day and stops at "
                "the first difference is wrong far more often. Use --sequential for that."
            )
        )
        page.legend(list(found.plan.groups))
        for chart in charts:
            page.chart(chart)
    if found.notes:
        page.heading("Notes")
        for note in found.notes:
            page.text(note)
    return page.html()


def sentence(found: Judgement) -> str:
    """The verdict in one sentence."""
    return SENTENCES[found.state]


def explained(found: Judgement) -> str:
    """What the verdict rests on, and how often it errs."""
    plan, events = found.plan, found.events
    when = "whenever one looks" if plan.method.name == "sequential" else "at one look, at a time chosen in advance"
    return (
        f"{sum(found.assignment.units.values()):,} units from {shown_time(found.first)} to {shown_time(found.last)}, "
        f"{events.counted:,} of {events.read:,} events; intervals by unit, {when}. Correction: {plan.correction}, "
        f"{PROMISES[plan.correction].format(level=plan.level)}."
    )


def group_lines(found: Judgement) -> list[list[str]]:
    """One line of cells per group, under ``GROUP_HEADERS``."""
    expected = {} if found.mismatch is None else found.mismatch.expected
    return [
        [
            name,
            f"{units:,}",
            f"{expected[name]:,.0f}" if name in expected else "",
            f"{found.assignment.requests[name]:,}",
            found.verdicts[name].state if name in found.verdicts else ("control" if name == found.plan.control else ""),
        ]
        for name, units in found.assignment.units.items()
    ]


def comparison_lines(found: Judgement) -> list[list[str]]:
    """One line of cells per metric and group, under ``COMPARISON_HEADERS``."""
    lines = []
    for one in found.comparisons:
        difference = one.difference
        ends = difference.relative_interval
        if ends is not None and difference.relative is not None:
            value, interval = _percent(difference.relative), _interval(ends, relative=True)
        else:
            value = "" if difference.difference is None else f"{difference.difference:+.4g} absolute"
            interval = "" if difference.interval is None else _interval(difference.interval, relative=False)
        lines.append(
            [
                one.metric.name,
                difference.group,
                *("" if number is None else f"{number:.5g}" for number in (difference.value, difference.control_value)),
                value,
                interval,
                "" if one.p is None else f"{one.p:.3g}",
                f"undefined: {difference.undefined}" if difference.undefined else one.outcome,
            ]
        )
    return lines


def check_lines(checks: Sequence[Check]) -> list[list[str]]:
    """One line of cells per guardrail and group, under ``CHECK_HEADERS``."""
    lines = []
    for one in checks:
        relative = one.guardrail.relative
        ends = "" if one.low is None or one.high is None else _interval((one.low, one.high), relative=relative)
        value = "" if one.value is None else (_percent(one.value) if relative else f"{one.value:+.4g}")
        state = f"{one.state}: {one.undefined}" if one.undefined else one.state
        lines.append([one.guardrail.text, one.group, value, ends, state])
    return lines


def outlook_lines(found: Judgement) -> list[list[str]]:
    """One line of cells per metric and group, under ``OUTLOOK_HEADERS``."""
    return [
        [
            one.metric,
            one.group,
            f"{one.detectable:.2%}",
            f"{one.power:.0%}",
            "more than ten years" if one.days is None else f"{one.days:,.1f}",
        ]
        for one in found.outlooks
    ]


def _percent(value: float) -> str:
    return f"{100 * value:+.3g} %"


def _interval(ends: tuple[float, float], *, relative: bool) -> str:
    low, high = (_percent(end) if relative else f"{end:+.4g}" for end in ends)
    return f"[{low}, {high}]"


def _counts(found: Judgement) -> Chart:
    units = found.assignment.units
    if found.mismatch is None:
        return bars([{"units": n, "group": name} for name, n in units.items()], "units", "group", "units by group")
    records: list[dict[str, Any]] = []
    for name, expected in found.mismatch.expected.items():
        records += [{"units": units.get(name, 0), "group": name}]
        records += [{"units": round(expected, 1), "group": f"{name}, expected"}]
    p = found.mismatch.p
    told = "too few to test" if p is None else f"p = {p:.3g}"
    return bars(records, "units", "group", title=f"units by group, and by their shares: {told}")


def _by_metric(found: Judgement) -> dict[str, list[dict[str, Any]]]:
    """Records of a chart per metric: a line per group."""
    bounds = {(one.metric.formula, one.relative): one.bound for one in found.plan.guardrails}
    charts: dict[str, list[dict[str, Any]]] = {}
    for one in found.comparisons:
        drawn = _drawn(one.difference)
        if drawn is None:
            continue
        value, (low, high), relative = drawn
        title = one.metric.name if relative else f"{one.metric.name}{ABSOLUTE}"
        record = {
            "label": one.difference.group,
            "gain": value,
            "low": low,
            "high": high,
            "bound": bounds.get((one.metric.formula, relative)),
        }
        charts.setdefault(title, []).append(record)
    return charts


def _drawn(difference: Difference) -> tuple[float, tuple[float, float], bool] | None:
    """Value, finite interval, and whether both are relative; ``None`` if there is nothing to draw."""
    ends, value, relative = difference.relative_interval, difference.relative, True
    if ends is None:
        ends, value, relative = difference.interval, difference.difference, False
    if ends is None or value is None or not all(abs(end) < float("inf") for end in ends):
        return None
    return value, ends, relative


def _over_time(found: Judgement) -> list[Chart]:
    charts = []
    if len(found.days) < 2:
        return []
    for metric in found.plan.metrics:
        records = []
        for day in found.days:
            for one in day.differences:
                ends = one.relative_interval
                if one.metric == metric.name and ends is not None and one.relative is not None:
                    numbers = {"relative difference": one.relative, "low": ends[0], "high": ends[1]}
                    records.append({"days": round(day.days, 3), "group": one.group, **numbers})
        if records:
            charts.append(
                bands(records, "days", "relative difference", "group", list(found.plan.groups), title=metric.name)
            )
    return charts
