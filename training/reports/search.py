"""The report of a fusion search."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from training.fusion_search.confidence import OBJECTIVE
from training.fusion_search.objective import Goal
from training.fusion_search.summary import Gain, Half, SearchResult
from training.reports import Page, front, lines
from training.reports.charts import Chart


def to_html(result: SearchResult, goal: Goal[Any], config: str) -> str:
    """Best parameters against the baseline on both halves, sensitivity, search history, front; self-contained."""
    page = Page("Fusion parameter search")
    constraints = f", subject to {' and '.join(result.constraints)}" if result.constraints else ""
    page.text(f"{result.tried:,} sets of {result.formula} by {result.method}, maximising {result.goal}{constraints}.")
    if not result.moved:
        page.note("No parameter set improves on the current parameters.")
    for constraint in result.broken:
        page.note(f"On the held-out rows the best parameters violate {constraint}.")
    page.heading("Gain over the current parameters").text(
        "Brackets are 95 % bootstrap intervals of the gain, resampling groups. The held-out groups were not searched "
        "on, so expect their gain; the gain on the other half is slightly optimistic."
    )
    for title, half in (("Rows searched on", result.search), ("Held-out rows", result.held_out)):
        page.heading(f"{title}: {half.rows:,} in {half.groups:,} groups", level=3)
        page.table(["", "today", "best", "gain", ""], list(gain_lines(half)))
    page.heading("Parameters").text("Paste this into the config:").code(config)
    page.table(
        ["parameter", "today", "best", "searched from", "to"],
        [
            [curve.parameter, *(f"{value:.6g}" for value in (curve.today, curve.best, curve.low, curve.high))]
            for curve in result.curves
        ],
    )
    page.heading("Sensitivity to each parameter").text(
        "The objective along each parameter, with the others at their best values, from one end of the search range "
        "(0) to the other (1). Gaps in a line violate a constraint."
    )
    page.chart(sensitivity(result))
    page.heading("Search history")
    if result.constraints:
        page.text("Parameter sets above the best so far violate a constraint.")
    page.chart(path(result))
    if len(goal.terms) > 1:
        page.heading("Pareto front").text("Every pair of terms; grey parameter sets are dominated over all terms.")
        records = [{**record, "method": result.method, "step": None} for record in result.front]
        lower = [term.title for term, weight in zip(goal.terms, goal.weights, strict=True) if weight < 0]
        for x, y in combinations([term.title for term in goal.terms], 2):
            page.chart(
                front(records, x, y, "setting", "method", [name for name in lower if name in (x, y)], [result.method])
            )
    return page.html()


def gain_lines(half: Half) -> Sequence[list[str]]:
    """One line per metric, the objective first: current value, best, gain, interval."""
    return [[name if name != OBJECTIVE else "all, weighted", *cells(gain)] for name, gain in half.gains.items()]


def cells(gain: Gain) -> list[str]:
    """Format a gain's numbers for a table."""
    interval = "" if np.isnan(gain.low) else f"[{gain.low:+.5f}, {gain.high:+.5f}]"
    return [f"{gain.today:.5f}", f"{gain.best:.5f}", f"{gain.best - gain.today:+.5f}", interval]


def sensitivity(result: SearchResult) -> Chart:
    """The objective along each parameter."""
    records: list[Mapping[str, object]] = []
    for curve in result.curves:
        name = f"{curve.parameter} ({curve.low:.3g} to {curve.high:.3g})"
        for value, objective in zip(curve.values, curve.objective, strict=True):
            position = (value - curve.low) / (curve.high - curve.low)
            shown = None if np.isnan(objective) else objective
            records.append({"parameter": name, "position in the search range": position, "objective": shown})
    return lines(records, x="position in the search range", y="objective", colour="parameter")


def path(result: SearchResult) -> Chart:
    """Tried and best-so-far objective of about 500 evenly spaced parameter sets, including the first and last."""
    indices = np.unique(np.linspace(0, len(result.path) - 1, min(len(result.path), 500)).astype(int))
    records = [
        {"set": result.path[i]["set"], "objective": result.path[i][key], "of": name}
        for i in indices.tolist()
        for key, name in (("objective", "tried"), ("best so far", "best so far"))
    ]
    return lines(records, x="set", y="objective", colour="of")
