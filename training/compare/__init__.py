"""Train a grid of variations of one config and report which is worth what."""

from training.compare.grid import Variation, expand, parse
from training.compare.job import compare

__all__ = ["Variation", "compare", "expand", "parse"]
