"""Grid comparison: expands config variations into trials and summarises quality and costs."""

from training.sweeps.compare.grid import Variation, expand, parse, variations

__all__ = ["Variation", "expand", "parse", "variations"]
