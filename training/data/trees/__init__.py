"""Boosted trees on encoded rows: folds, fitting, and the rows with their scores."""

from training.data.trees.scores import fitted_scores, opened_scores

__all__ = ["fitted_scores", "opened_scores"]
