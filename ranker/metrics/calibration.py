"""Whether predictions are right on average, overall and where they are low or high."""

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
    """Mean prediction over mean label: above 1 predicts too much. He et al. 2014, "Predicting Clicks on Ads".

    Parameters
    ----------
    labels, predictions
        What happened and what was predicted [N]: probabilities and {0, 1}, or amounts.
    weights
        How often each row counts [N], >= 0; by default once.

    Returns
    -------
    float
        NaN where the labels sum to 0.

    Raises
    ------
    ValueError
        For unequal lengths, and for a value that is not finite, with its row.
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

    Rows sorted by score are cut into ``bins`` parts of equally many rows; the error is the mean over rows of how far
    their bin's mean score is from its mean label. Rows of equal score are never parted, so that the result does not
    depend on the order of the rows: they all go where the middle one of them belongs.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and probabilities [N].
    bins
        Number of bins, >= 1.

    Returns
    -------
    float
        In [0, 1]; NaN where there are no rows.

    Raises
    ------
    ValueError
        For unequal lengths, for a bad value, with its row, and for ``bins`` below 1.
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
