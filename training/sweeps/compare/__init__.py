"""A grid of variations of one config, and which of them is worth what."""

from training.sweeps.compare.grid import Variation, expand, parse, variations

__all__ = ["Variation", "expand", "parse", "variations"]
