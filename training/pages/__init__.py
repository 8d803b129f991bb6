"""Self-contained HTML pages with charts."""

from training.pages.charts import STANDINGS, bars, front, heatmap, lines, parallel, reliability, scatter
from training.pages.curves import add_curves, add_quality
from training.pages.gates import add_gates
from training.pages.page import Page

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
