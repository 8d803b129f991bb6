"""The page of a search."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from training.fusion_search.confidence import OBJECTIVE
from training.fusion_search.objective import Goal
from training.fusion_search.summary import Found, Gain, Half
from training.reports import Page, front, lines
from training.reports.charts import Chart


def to_html(found: Found, goal: Goal, config: str) -> str:
    """Best parameters against today's on both halves, each parameter's curve, the path, the front; self-contained."""
    page = Page("Search for a fusion's parameters")
    constraints = f", keeping {' and '.join(found.constraints)}" if found.constraints else ""
    page.text(f"{found.tried:,} sets of {found.formula} by {found.method}, to maximise {found.goal}{constraints}.")
    if not found.moved:
        page.note("No set that was tried is better than today's parameters.")
    for constraint in found.broken:
        page.note(f"On the held-out rows the best parameters do not keep {constraint}.")
    page.heading("Against today").text(
        "Brackets are 95 % intervals of the gain, from resampled groups. The held-out groups chose nothing: what the "
        "best parameters gain there is what to expect, and what they gain on the other half is a little too good."
    )
    for title, half in (("Rows searched on", found.search), ("Held-out rows", found.held_out)):
        page.heading(f"{title}: {half.rows:,} in {half.groups:,} groups", level=3)
        page.table(["", "today", "best", "gain", ""], list(gain_lines(half)))
    page.heading("Parameters").text("To paste into the config:").code(config)
    page.table(
        ["parameter", "today", "best", "searched from", "to"],
        [
            [curve.parameter, *(f"{value:.6g}" for value in (curve.today, curve.best, curve.low, curve.high))]
            for curve in found.curves
        ],
    )
    page.heading("How much each parameter matters").text(
        "The objective along each parameter, the others staying at their best values, from one end of the trust region "
        "(0) to the other (1). Where a line is broken, a constraint is."
    )
    page.chart(sensitivity(found))
    page.heading("The path of the search")
    if found.constraints:
        page.text("Sets above the best so far break a constraint.")
    page.chart(path(found))
    if len(goal.terms) > 1:
        page.heading("The front").text("Every pair of terms; grey sets are dominated in all terms taken together.")
        records = [{**record, "method": found.method, "step": None} for record in found.front]
        lower = [term.title for term, weight in zip(goal.terms, goal.weights, strict=True) if weight < 0]
        for x, y in combinations([term.title for term in goal.terms], 2):
            page.chart(
                front(records, x, y, "setting", "method", [name for name in lower if name in (x, y)], [found.method])
            )
    return page.html()


def gain_lines(half: Half) -> Sequence[list[str]]:
    """A line a metric, the objective's first: today, best, gain, its interval."""
    return [[name if name != OBJECTIVE else "all, weighted", *cells(gain)] for name, gain in half.gains.items()]


def cells(gain: Gain) -> list[str]:
    """Numbers as people read them."""
    interval = "" if np.isnan(gain.low) else f"[{gain.low:+.5f}, {gain.high:+.5f}]"
    return [f"{gain.today:.5f}", f"{gain.best:.5f}", f"{gain.best - gain.today:+.5f}", interval]


def sensitivity(found: Found) -> Chart:
    """The objective along each parameter."""
    records: list[Mapping[str, object]] = []
    for curve in found.curves:
        name = f"{curve.parameter} ({curve.low:.3g} to {curve.high:.3g})"
        for value, objective in zip(curve.values, curve.objective, strict=True):
            place = (value - curve.low) / (curve.high - curve.low)
            shown = None if np.isnan(objective) else objective
            records.append({"parameter": name, "place in the trust region": place, "objective": shown})
    return lines(records, x="place in the trust region", y="objective", colour="parameter")


def path(found: Found) -> Chart:
    """Tried and best so far, of at most some 500 sets, the first and the last among them."""
    kept = np.unique(np.linspace(0, len(found.path) - 1, min(len(found.path), 500)).astype(int))
    records = [
        {"set": found.path[i]["set"], "objective": found.path[i][key], "of": name}
        for i in kept.tolist()
        for key, name in (("objective", "tried"), ("best so far", "best so far"))
    ]
    return lines(records, x="set", y="objective", colour="of")
