"""Trains one config with many preferences over its tasks and computes the Pareto front."""

from training.sweeps.pareto.preferences import METHODS, expand
from training.sweeps.pareto.request import Choice, choice
from training.sweeps.pareto.summary import Summary

__all__ = ["METHODS", "Choice", "Summary", "choice", "expand"]
