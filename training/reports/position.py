"""The learnt effect of position: a curve by task, and the rows it comes from."""

from collections.abc import Mapping
from typing import Any

from training.reports.charts import lines
from training.reports.page import Page

RELATIVE = "relative to the first"


TITLES = (("relative", RELATIVE), ("odds_ratio", "odds ratio to the first"))
"""Parts of a task's curve, with their titles; it has one of them or both."""


def add_position(page: Page, curve: Mapping[str, Any]) -> None:
    """Add the heading, the curve of each task, and a table with the training rows of each position."""
    page.heading("Position").text(
        f"What {curve['column']!r} does to the labels of the same items, learnt with method: {curve['method']}, as a "
        "ratio to the first place. Scores do not depend on it."
    )
    positions, tasks = curve["positions"], curve["tasks"]
    records = [
        {"position": position, RELATIVE: value, "task": task}
        for task, found in tasks.items()
        for position, value in zip(positions, found.get("relative", [None] * len(positions)), strict=True)
        if value is not None
    ]
    if records:
        page.chart(lines(records, x="position", y=RELATIVE, colour="task", points=True))
    columns = [
        (f"{task}, {title}", found[key]) for task, found in tasks.items() for key, title in TITLES if key in found
    ]
    names = [str(position) for position in positions]
    if curve["shared"]:
        names[-1] += " and later"
    page.table(
        ["position", "training rows", *(title for title, _ in columns)],
        [
            [name, f"{rows:,}", *("-" if values[i] is None else f"{values[i]:.3f}" for _, values in columns)]
            for i, (name, rows) in enumerate(zip(names, curve["rows"], strict=True))
        ],
    )
    if curve["unknown"]:
        page.text(f"{curve['unknown']:,} training rows have no position.")
