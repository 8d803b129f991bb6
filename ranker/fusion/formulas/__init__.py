"""Fusion formulas, one a file; importing one in :mod:`ranker.fusion` is what makes it known."""
