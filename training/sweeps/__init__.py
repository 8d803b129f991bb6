"""Many trainings under one schema: each in a process of its own, remembered, on one set of encoded rows."""

from training.sweeps.trial import Cell, Trained, checked

__all__ = ["Cell", "Trained", "checked"]
