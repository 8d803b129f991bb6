"""The page of a promotion: the verdict, differences with intervals and bounds, slices, rankings."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from training.config.metric_names import METRIC
from training.config.promotion import LATENCY, TOP
from training.promotion.decide import Decision, Difference
from training.promotion.rankings import RankingShift
from training.promotion.verdict import Check
from training.reports.charts import intervals
from training.reports.page import Page

CHECK_HEADERS = ("measure", "rows", "bound", "measured", "interval", "")
DIFFERENCE_HEADERS = ("measure", "new", "old", "gain", "interval")
RANKING_HEADERS = ("scores", "lists", "Kendall's tau", "tau, lowest tenth", f"top-{TOP} overlap")
_QUANTITY = {"least": "gain", "most": "new / old", "within": "new"}


def to_html(decision: Decision, new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """Self-contained page; ``new`` and ``old`` are facts of the artifacts."""
    page = Page(f"Promotion: version {new['version']} against version {old['version']}")
    page.text(f"{verdict(decision)} New: {new['folder']}. Old: {old['folder']}.")
    for line in decision.why:
        page.note(line)
    page.text(explained(decision))
    page.heading("Bounds").table(CHECK_HEADERS, check_lines(decision.checks))
    page.heading("Differences").text(
        "Gains are above 0 where the new version is better: in the measure's unit, or for a calibration how much "
        "nearer to 1. Bars are intervals, a red tick is the lowest acceptable gain."
    )
    for metric, records in _by_metric(decision).items():
        page.chart(intervals(records, title=metric))
    page.table(DIFFERENCE_HEADERS, difference_lines([one for one in decision.differences if one.slice is None]))
    if decision.slices:
        page.heading("Slices")
        for name, rows in decision.slices.items():
            page.heading(f"{name}: {rows:,} rows", level=3)
            page.table(DIFFERENCE_HEADERS, difference_lines([one for one in decision.differences if one.slice == name]))
    page.heading("Shift of the rankings").text(
        "Agreement of the new order with the old one within lists; 1: the same. The overlap is of lists with more than "
        f"{TOP} rows. Without lists, all rows are one."
    )
    page.table(RANKING_HEADERS, ranking_lines(decision.rankings))
    if decision.notes:
        page.heading("Notes")
        for note in decision.notes:
            page.text(note)
    return page.html()


def verdict(decision: Decision) -> str:
    """One sentence."""
    if decision.promoted:
        return "Promoted: the data shows no bound to be broken."
    count = len(decision.why)
    return f"Not promoted: {count} reason{'s' if count > 1 else ''} against it."


def explained(decision: Decision) -> str:
    """What the verdict rests on, and how often it errs."""
    units = f"{decision.units:,} groups of rows" if decision.grouped else "rows"
    return (
        f"{decision.rows:,} rows that both versions scored; intervals by a paired bootstrap of {units}. The data shows "
        "that a bound is met, or broken, or neither (open); a broken one refuses. A version that meets all bounds is "
        f"refused by chance with a probability of at most {decision.level:g} over all {decision.tests} tests. A bound "
        "`for certain` refuses unless the data shows that it is met, and lets a version that breaks it pass with a "
        f"probability of at most {decision.level:g}."
    )


def check_lines(checks: Sequence[Check]) -> list[list[str]]:
    """One line of cells per check, under ``CHECK_HEADERS``."""
    lines = []
    for check in checks:
        measured = "" if check.value is None else f"{_QUANTITY[check.limit]} {check.value:.5g}"
        bound = f"{check.limit} {check.bound:g}{', certain' if check.certain else ''}"
        interval = _interval(check.low, check.high)
        lines.append([check.measure, check.slice or "all", bound, measured, interval, check.state])
    return lines


def difference_lines(differences: Sequence[Difference]) -> list[list[str]]:
    """One line of cells per measure, under ``DIFFERENCE_HEADERS``."""
    return [
        [
            one.name,
            *("" if value is None else f"{value:.5g}" for value in (one.new, one.old)),
            "undefined" if one.gain is None else f"{one.gain:+.5f}",
            _interval(one.low, one.high, "+"),
        ]
        for one in differences
    ]


def ranking_lines(shifts: Sequence[RankingShift]) -> list[list[str]]:
    """One line of cells per ranking, under ``RANKING_HEADERS``."""
    return [
        [
            one.name,
            f"{one.lists:,}",
            *("" if value is None else f"{value:.4f}" for value in (one.tau, one.low_tau, one.overlap)),
        ]
        for one in shifts
    ]


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f"[{low:{sign}.5g}, {high:{sign}.5g}]"


def _split(measure: str) -> tuple[str, str]:
    """Objective and metric of a measure: ``click.auc``, or ``fused(default).ndcg@10(click)``."""
    found = re.fullmatch(METRIC, measure)
    if found is not None and found["fusion"] is not None:
        return found["of"], measure[: measure.rindex("(")]
    objective, metric = measure.split(".", 1)
    return objective, metric


def _by_metric(decision: Decision) -> dict[str, list[dict[str, Any]]]:
    """Records of a chart per metric: a line per objective and slice."""
    least = {(check.measure, check.slice): check.bound for check in decision.checks if check.limit == "least"}
    found: dict[str, list[dict[str, Any]]] = {}
    for one in decision.differences:
        if one.gain is None or one.name == LATENCY:
            continue
        objective, metric = _split(one.name)
        record = {
            "label": objective if one.slice is None else f"{objective}, {one.slice}",
            "gain": one.gain,
            "low": one.low,
            "high": one.high,
            "bound": least.get((one.name, one.slice)),
        }
        found.setdefault(metric, []).append(record)
    return found
