"""Self-contained HTML reports with charts."""

from training.reports.charts import STANDINGS, bars, front, heatmap, lines, parallel, reliability, scatter
from training.reports.curves import add_curves, add_quality
from training.reports.gates import add_gates
from training.reports.page import Page

__all__ = [
    "STANDINGS",
    "Page",
    "add_curves",
    "add_gates",
    "add_quality",
    "bars",
    "front",
    "heatmap",
    "lines",
    "parallel",
    "reliability",
    "scatter",
]
