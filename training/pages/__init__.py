"""Self-contained HTML pages with charts."""

from training.pages.charts import bars, heatmap, lines, reliability, scatter
from training.pages.curves import add_curves
from training.pages.gates import add_gates
from training.pages.page import Page

__all__ = ["Page", "add_curves", "add_gates", "bars", "heatmap", "lines", "reliability", "scatter"]
