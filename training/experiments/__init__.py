"""Judges experiments: from exposures and events to differences between groups, with intervals and a verdict.

:func:`~training.experiments.statistics.compare` is the entry point of what has sums by unit already.
"""
