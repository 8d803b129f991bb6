"""Heat maps of gates and expert similarity."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.reports.charts import heatmap
from training.reports.page import Page


def add_gates(page: Page, gates: Mapping[str, Any]) -> None:
    """Add warnings, mean expert weights, and expert similarity."""
    for warning in gates["warnings"]:
        page.note(warning)
    page.chart(heatmap(list(gate_records(gates)), x="expert", y="gate", value="weight"))
    similarities = [
        {"expert": first, "other expert": second, "similarity": value}
        for first, others in gates["similarity"].items()
        for second, value in others.items()
    ]
    page.chart(heatmap(similarities, x="other expert", y="expert", value="similarity"))


def gate_records(gates: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One record per gate and expert, for the heat map."""
    for view in gates.get("gates", []):
        for expert, weight in view["weights"].items():
            yield {"gate": f"{view['gate']} (entropy {view['entropy']:.2f})", "expert": expert, "weight": weight}
