"""The report of a fusion search."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from training.fusion_search.confidence import OBJECTIVE
from training.fusion_search.objective import Goal
from training.fusion_search.summary import Found, Gain, Half
from training.reports import Page, front, lines
from training.reports.charts import Chart


def to_html(found: Found, goal: Goal, config: str) -> str:
    """Best parameters against the baseline on both halves, sensitivity, search history, front; self-contained."""
    page = Page("Fusion parameter search")
    constraints = f", subject to {' and '.join(found.constraints)}" if found.constraints else ""
    page.text(
        f"{found.tried:,} parameter sets of {found.formula} by {found.method}, to maximise {found.goal}{constraints}."
    )
    if not found.moved:
        page.note("No parameter set improves on the current parameters.")
    for constraint in found.broken:
        page.note(f"On the held-out rows the best parameters violate {constraint}.")
    page.heading("Gain over the current parameters").text(
        "Brackets are 95 % bootstrap intervals of the gain, resampling groups. The held-out groups were not searched "
        "on, so expect their gain; the gain on the other half is slightly optimistic."
    )
    for title, half in (("Rows searched on", found.search), ("Held-out rows", found.held_out)):
        page.heading(f"{title}: {half.rows:,} in {half.groups:,} groups", level=3)
        page.table(["", "today", "best", "gain", ""], list(gain_lines(half)))
    page.heading("Parameters").text("Paste this into the config:").code(config)
    page.table(
        ["parameter", "today", "best", "searched from", "to"],
        [
            [curve.parameter, *(f"{value:.6g}" for value in (curve.today, curve.best, curve.low, curve.high))]
            for curve in found.curves
        ],
    )
    page.heading("Sensitivity to each parameter").text(
        "The objective along each parameter, with the others at their best values, from one end of the search range "
        "(0) to the other (1). Gaps in a line violate a constraint."
    )
    page.chart(sensitivity(found))
    page.heading("Search history")
    if found.constraints:
        page.text("Parameter sets above the best so far violate a constraint.")
    page.chart(path(found))
    if len(goal.terms) > 1:
        page.heading("Pareto front").text("Every pair of terms; grey parameter sets are dominated over all terms.")
        records = [{**record, "method": found.method, "step": None} for record in found.front]
        lower = [term.title for term, weight in zip(goal.terms, goal.weights, strict=True) if weight < 0]
        for x, y in combinations([term.title for term in goal.terms], 2):
            page.chart(
                front(records, x, y, "setting", "method", [name for name in lower if name in (x, y)], [found.method])
            )
    return page.html()


def gain_lines(half: Half) -> Sequence[list[str]]:
    """One line per metric, the objective first: current value, best, gain, interval."""
    return [[name if name != OBJECTIVE else "all, weighted", *cells(gain)] for name, gain in half.gains.items()]


def cells(gain: Gain) -> list[str]:
    """Format a gain's numbers for a table."""
    interval = "" if np.isnan(gain.low) else f"[{gain.low:+.5f}, {gain.high:+.5f}]"
    return [f"{gain.today:.5f}", f"{gain.best:.5f}", f"{gain.best - gain.today:+.5f}", interval]


def sensitivity(found: Found) -> Chart:
    """The objective along each parameter."""
    records: list[Mapping[str, object]] = []
    for curve in found.curves:
        name = f"{curve.parameter} ({curve.low:.3g} to {curve.high:.3g})"
        for value, objective in zip(curve.values, curve.objective, strict=True):
            position = (value - curve.low) / (curve.high - curve.low)
            shown = None if np.isnan(objective) else objective
            records.append({"parameter": name, "position in the search range": position, "objective": shown})
    return lines(records, x="position in the search range", y="objective", colour="parameter")


def path(found: Found) -> Chart:
    """Tried and best-so-far objective of about 500 evenly spaced parameter sets, including the first and last."""
    indices = np.unique(np.linspace(0, len(found.path) - 1, min(len(found.path), 500)).astype(int))
    records = [
        {"set": found.path[i]["set"], "objective": found.path[i][key], "of": name}
        for i in indices.tolist()
        for key, name in (("objective", "tried"), ("best so far", "best so far"))
    ]
    return lines(records, x="set", y="objective", colour="of")
