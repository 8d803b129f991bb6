"""Runs many trials of one schema, each in its own process, sharing encoded rows and reusing earlier results."""

from training.sweeps.trial import Trial, TrialResult, checked

__all__ = ["Trial", "TrialResult", "checked"]
