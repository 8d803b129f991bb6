"""Fusion formulas, one per file; :mod:`ranker.fusion` imports them to register them."""
