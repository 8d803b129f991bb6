"""``ranker-train report``: one page about an artifact, with a fusion that can be moved in the browser."""
