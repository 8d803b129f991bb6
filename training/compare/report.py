"""The page of a comparison."""

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from training.compare.summary import COSTS, Row, columns
from training.config import Experiment
from training.pages import Page, heatmap, scatter

PLOTTED = ("flops_per_candidate", "serving_ms", "samples_per_second")


def to_html(base: Experiment, rows: Sequence[Row]) -> str:
    """Quality, quality against cost, and what the gates do, as one self-contained page."""
    page = Page("Comparison")
    varied = ", ".join(rows[0].values) or "nothing"
    page.text(
        f"{len(rows)} variation(s) of {varied}; mean ± standard deviation over {max(r.seeds for r in rows)} seed(s)."
    )
    heads, lines = columns(rows)
    page.table(heads, lines)
    for row in rows:
        for error in row.errors:
            page.note(f"{row.name}, {error}")
    with_costs = [row for row in rows if row.mean_auc is not None and row.costs]
    if with_costs:
        page.heading("Quality against cost")
        for cost in PLOTTED:
            title, _ = COSTS[cost]
            records = [_point(row, cost, title) for row in with_costs]
            page.chart(scatter(records, x=title, y="mean AUC", label="variation", error="deviation", log=True))
    if any(row.gates.get("gates") for row in rows):
        page.heading("What the gates do").text(
            "Mean weight of each expert and, below it, how alike experts that some gate weighs against each other are "
            "(linear centred kernel alignment), over validation rows of the first seed."
        )
        for row in rows:
            _gates(page, row)
    page.heading("Config").text("What is varied:")
    plain = base.model_dump(mode="json", by_alias=True, exclude_unset=True)
    page.code(yaml.safe_dump(plain, sort_keys=False))
    return page.html()


def _point(row: Row, cost: str, title: str) -> dict[str, Any]:
    assert row.mean_auc is not None
    deviation = row.mean_auc.deviation or 0.0
    return {"variation": row.name, title: row.costs[cost], "mean AUC": row.mean_auc.mean, "deviation": deviation}


def _gates(page: Page, row: Row) -> None:
    records = list(gate_records(row.gates))
    if not records:
        return
    page.heading(row.name, level=3)
    for warning in row.gates["warnings"]:
        page.note(warning)
    page.chart(heatmap(records, x="expert", y="gate", value="weight"))
    alike = [
        {"expert": first, "other expert": second, "similarity": value}
        for first, others in row.gates["similarity"].items()
        for second, value in others.items()
    ]
    page.chart(heatmap(alike, x="other expert", y="expert", value="similarity"))


def gate_records(gates: Any) -> Iterator[dict[str, Any]]:
    """One record a gate and expert, for a picture."""
    for view in gates.get("gates", []):
        for expert, weight in view["weights"].items():
            yield {"gate": f"{view['gate']} (entropy {view['entropy']:.2f})", "expert": expert, "weight": weight}
