"""The report of a comparison."""

from collections.abc import Sequence
from typing import Any

import yaml

from training.config.experiment import Experiment
from training.reports import Page, add_curves, add_gates, scatter
from training.sweeps.compare.summary import COSTS, Row, columns

PLOTTED = ("flops_per_candidate", "serving_ms", "samples_per_second")


def to_html(base: Experiment, rows: Sequence[Row]) -> str:
    """Quality, quality against cost, gates and balancing, as a self-contained page."""
    page = Page("Comparison")
    varied = ", ".join(rows[0].values) or "nothing"
    page.text(
        f"{len(rows)} variation(s) of {varied}; mean ± standard deviation over {max(r.seeds for r in rows)} seed(s)."
    )
    headers, lines = columns(rows)
    page.table(headers, lines)
    for row in rows:
        for error in row.errors:
            page.note(f"{row.name}, {error}")
    with_costs = [row for row in rows if row.mean_auc is not None and row.costs]
    if with_costs:
        page.heading("Quality against cost")
        for cost in PLOTTED:
            title, _ = COSTS[cost]
            records = [_point(row, cost, title) for row in with_costs if cost in row.costs]
            page.chart(scatter(records, x=title, y="mean AUC", label="variation", error="deviation", log=True))
    if any(row.gates.get("gates") for row in rows):
        page.heading("Gates").text(
            "Mean expert weights and, below, the similarity of experts under a common gate (linear centred kernel "
            "alignment), on validation rows of the first seed."
        )
        for row in rows:
            if row.gates.get("gates"):
                page.heading(row.name, level=3)
                add_gates(page, row.gates)
    if any("norm" in row.curves for row in rows) or any(row.values.get("weighting") for row in rows):
        page.heading("Task balancing").text(
            "Means over windows of steps, first seed. Cosines below 0 mean conflicting gradients."
        )
        for row in rows:
            page.heading(row.name, level=3)
            add_curves(page, row.curves)
    page.heading("Config").text("The base config:")
    plain = base.model_dump(mode="json", by_alias=True, exclude_unset=True)
    page.code(yaml.safe_dump(plain, sort_keys=False))
    return page.html()


def _point(row: Row, cost: str, title: str) -> dict[str, Any]:
    assert row.mean_auc is not None
    deviation = row.mean_auc.deviation or 0.0
    return {"variation": row.name, title: row.costs[cost], "mean AUC": row.mean_auc.mean, "deviation": deviation}
