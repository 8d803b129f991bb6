"""Self-contained HTML pages with charts."""

from training.pages.charts import bars, heatmap, reliability, scatter
from training.pages.page import Page

__all__ = ["Page", "bars", "heatmap", "reliability", "scatter"]
