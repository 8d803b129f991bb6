"""What the gates do, as heat maps."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.reports.charts import heatmap
from training.reports.page import Page


def add_gates(page: Page, gates: Mapping[str, Any]) -> None:
    """Add warnings, mean weights of the experts, and how alike experts are."""
    for warning in gates["warnings"]:
        page.note(warning)
    page.chart(heatmap(list(gate_records(gates)), x="expert", y="gate", value="weight"))
    alike = [
        {"expert": first, "other expert": second, "similarity": value}
        for first, others in gates["similarity"].items()
        for second, value in others.items()
    ]
    page.chart(heatmap(alike, x="other expert", y="expert", value="similarity"))


def gate_records(gates: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One record a gate and expert, for a picture."""
    for view in gates.get("gates", []):
        for expert, weight in view["weights"].items():
            yield {"gate": f"{view['gate']} (entropy {view['entropy']:.2f})", "expert": expert, "weight": weight}
