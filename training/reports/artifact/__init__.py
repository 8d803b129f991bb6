"""``ranker-train report``: an artifact's report, with fusion parameters that can be changed in the browser."""
