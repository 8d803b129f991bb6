"""Self-contained HTML pages with charts."""

from training.pages.charts import STANDINGS, bars, front, heatmap, parallel, scatter
from training.pages.page import Page

__all__ = ["STANDINGS", "Page", "bars", "front", "heatmap", "parallel", "scatter"]
