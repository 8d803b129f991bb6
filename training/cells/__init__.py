"""Many trainings under one schema: each in a process of its own, remembered, on one set of encoded rows."""

from training.cells.cell import Cell, checked
from training.cells.run import Trained, progress_bars, run_cells

__all__ = ["Cell", "Trained", "checked", "progress_bars", "run_cells"]
