"""Errors of predicted amounts, such as watch time."""

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.checks import Floats, Statistic, checked_numbers, checked_weights, ratio, total


def mae(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean absolute error, in the unit of the labels.

    Parameters
    ----------
    labels, predictions
        Labels and predictions [N].
    weights
        Row weights [N], >= 0; default 1.

    Returns
    -------
    float
        >= 0; NaN without rows or weight.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    labels = checked_numbers("labels", labels)
    predictions = checked_numbers("predictions", predictions, len(labels))
    return mae_statistic(labels, predictions)(checked_weights(weights, len(labels)))


def rmse(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Root of the mean squared error, in the unit of the labels; otherwise as ``mae``."""
    labels = checked_numbers("labels", labels)
    predictions = checked_numbers("predictions", predictions, len(labels))
    return rmse_statistic(labels, predictions)(checked_weights(weights, len(labels)))


def mae_statistic(labels: Floats, predictions: Floats) -> Statistic:
    """Return the mean absolute error of checked rows as a function of their weights [N]."""
    errors = np.abs(predictions - labels)

    def statistic(weights: Floats) -> float:
        return ratio(total(errors, weights), weights.sum())

    return statistic


def rmse_statistic(labels: Floats, predictions: Floats) -> Statistic:
    """Return the root mean squared error of checked rows as a function of their weights [N]."""
    squares = (predictions - labels) ** 2

    def statistic(weights: Floats) -> float:
        return float(np.sqrt(ratio(total(squares, weights), weights.sum())))

    return statistic
