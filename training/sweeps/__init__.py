"""Many trainings under one schema: each in a process of its own, remembered, on one set of encoded rows."""

from training.sweeps.runner import Trained, progress_bars, run_cells
from training.sweeps.trial import Cell, checked

__all__ = ["Cell", "Trained", "checked", "progress_bars", "run_cells"]
