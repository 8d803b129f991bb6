"""Calibration of predictions, overall and by score level."""

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.checks import (
    Floats,
    Statistic,
    checked_labels,
    checked_numbers,
    checked_probabilities,
    checked_weights,
    ratio,
    run_starts,
    total,
)


def calibration(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean prediction divided by mean label; above 1 is overprediction. He et al. 2014, "Predicting Clicks on Ads".

    Parameters
    ----------
    labels, predictions
        Labels and predictions [N]: {0, 1} and probabilities, or amounts.
    weights
        Row weights [N], >= 0; default 1.

    Returns
    -------
    float
        NaN if the labels sum to 0.

    Raises
    ------
    ValueError
        For unequal lengths and values that are not finite; the message names the row.
    """
    labels = checked_numbers("labels", labels)
    predictions = checked_numbers("predictions", predictions, len(labels))
    return calibration_statistic(labels, predictions)(checked_weights(weights, len(labels)))


def calibration_statistic(labels: Floats, predictions: Floats) -> Statistic:
    """Return the calibration of checked rows as a function of their weights [N]."""

    def statistic(weights: Floats) -> float:
        return ratio(total(predictions, weights), total(labels, weights))

    return statistic


def calibration_error(labels: ArrayLike, scores: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass. Naeini et al. 2015; Nguyen & O'Connor 2015 for the bins.

    Rows sorted by score are split into ``bins`` bins of equal size; the error is the mean over rows of the absolute
    difference between their bin's mean score and mean label. Tied rows stay in one bin, that of the middle one, so that
    the result does not depend on row order.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and probabilities [N].
    bins
        Number of bins, >= 1.

    Returns
    -------
    float
        In [0, 1]; NaN without rows.

    Raises
    ------
    ValueError
        For unequal lengths, invalid values (the message names the row) and ``bins`` below 1.
    """
    if bins < 1:
        raise ValueError(f"bins must be >= 1, got {bins}")
    labels = checked_labels(labels)
    scores = checked_probabilities(scores, len(labels))
    order = np.argsort(scores)
    starts = run_starts(scores[order])
    sizes = np.diff(starts, append=len(labels))
    bin_of_run = bins * (2 * starts + sizes - 1) // (2 * max(len(labels), 1))
    gaps = np.bincount(np.repeat(bin_of_run, sizes), weights=(scores - labels)[order], minlength=bins)
    return ratio(np.abs(gaps).sum(), len(labels))
