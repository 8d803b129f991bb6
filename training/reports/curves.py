"""Charts of losses, task weights and gradients over training."""

from collections.abc import Mapping, Sequence
from typing import Any

from ranker.metrics import METRICS
from training.reports.charts import lines
from training.reports.page import Page
from training.trainer.curves import CURVES

LOGARITHMIC = ("loss", "norm")


def add_curves(page: Page, curves: Mapping[str, Any]) -> None:
    """Add a chart per kind of curve; nothing for a run without steps."""
    kinds = [kind for kind in CURVES if curves.get(kind)]
    names = list(curves[kinds[0]]) if kinds else []
    if len(kinds) > 1:
        page.legend(names)
    for kind, title in CURVES.items():
        log = kind in LOGARITHMIC
        records = [
            {"step": step, "of": name, title: value}
            for name, values in curves.get(kind, {}).items()
            for step, value in zip(curves["step"], values, strict=True)
            if value is not None and (value > 0 or not log)
        ]
        if records:
            shared = names if len(kinds) > 1 and set(curves[kind]) <= set(names) else None
            page.chart(lines(records, x="step", y=title, colour="of", log=log, names=shared))


def add_quality(page: Page, history: Sequence[Mapping[str, Any]]) -> None:
    """Add each task's validation AUC by epoch under a heading, if there is any."""
    title = f"validation {METRICS['auc'].title}"
    records = [
        {"epoch": record["epoch"], "of": task, title: report["auc"]}
        for record in history
        for task, report in record["tasks"].items()
        if report.get("auc") is not None
    ]
    if records:
        page.heading("Quality by epoch")
        names = list(history[0]["tasks"])  # all tasks, so that each has the same colour in all charts
        page.legend([name for name in names if any(record["of"] == name for record in records)], names)
        page.chart(lines(records, x="epoch", y=title, colour="of", points=True, names=names))
