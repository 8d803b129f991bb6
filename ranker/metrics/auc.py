"""Area under the ROC curve."""

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.checks import (
    Floats,
    Statistic,
    checked_labels,
    checked_numbers,
    checked_weights,
    ratio,
    run_starts,
    total,
)


def auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Probability that a positive outscores a negative, ties counting one half. Hanley & McNeil 1982.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and finite scores [N] of any scale.
    weights
        Row weights [N], >= 0; default 1.

    Returns
    -------
    float
        In [0, 1]; NaN if a class is absent or has no weight, so that there is no pair to compare.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    labels = checked_labels(labels)
    scores = checked_numbers("scores", scores, len(labels))
    return auc_statistic(labels, scores)(checked_weights(weights, len(labels)))


def auc_statistic(labels: Floats, scores: Floats) -> Statistic:
    """Return the AUC of checked rows as a function of weights [N]; rows are sorted only once."""
    order = np.argsort(scores)
    positive = labels[order]
    negative = 1.0 - positive
    ties = run_starts(scores[order])

    def statistic(weights: Floats) -> float:
        sorted_weights = weights[order]
        positives = np.add.reduceat(sorted_weights * positive, ties)
        negatives = np.add.reduceat(sorted_weights * negative, ties)
        below = np.cumsum(negatives) - 0.5 * negatives  # negatives below each run of ties, plus half of the tied ones
        return ratio(total(positives, below), positives.sum() * negatives.sum())

    return statistic
