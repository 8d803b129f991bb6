"""Train one config under many preferences over its tasks, keep the best trade-offs, pick one and export it."""

from training.pareto.choice import Choice, choice
from training.pareto.job import pareto
from training.pareto.settings import METHODS, expand
from training.pareto.summary import Summary

__all__ = ["METHODS", "Choice", "Summary", "choice", "expand", "pareto"]
