"""Runs many trials of one schema, each in its own process, sharing encoded rows and reusing earlier results."""

from training.sweeps.runner import TrialResult, progress_bars, run_trials
from training.sweeps.trial import Trial, checked

__all__ = ["Trial", "TrialResult", "checked", "progress_bars", "run_trials"]
