"""Normalised Gini coefficient of amounts ordered by score."""

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.checks import Floats, Statistic, checked_numbers, checked_weights, ratio, run_starts, total


def normalised_gini(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """How well scores order amounts: the Gini coefficient by score over that of the best order.

    The Gini coefficient is twice the area between the diagonal and the curve of the share of the total amount that the
    lowest scores hold, as in Wang, Liu and Miao 2019. Rows of equal score share their mean rank. The ratio is
    also defined for amounts below 0.

    Parameters
    ----------
    labels, scores
        Amounts and scores of any scale [N].
    weights
        Row weights [N], >= 0; default 1.

    Returns
    -------
    float
        1 for the best order, 0 for a random one, -1 for the reverse; NaN if all amounts are equal.

    Raises
    ------
    ValueError
        For unequal lengths and invalid values; the message names the row.
    """
    labels = checked_numbers("labels", labels)
    scores = checked_numbers("scores", scores, len(labels))
    return normalised_gini_statistic(labels, scores)(checked_weights(weights, len(labels)))


def normalised_gini_statistic(labels: Floats, scores: Floats) -> Statistic:
    """Return the normalised Gini of checked rows as a function of weights [N]; rows are sorted only once."""
    by_score, by_label = _area(labels, scores), _area(labels, labels)

    def statistic(weights: Floats) -> float:
        return ratio(by_score(weights), by_label(weights))

    return statistic


def _area(labels: Floats, keys: Floats) -> Statistic:
    """Covariance of labels and mean ranks by ``keys`` [N], in units that are the same for all keys."""
    order = np.argsort(keys, kind="stable")
    ties, values = run_starts(keys[order]), labels[order]

    def statistic(weights: Floats) -> float:
        if not len(values):
            return 0.0
        sorted_weights = weights[order]
        mass = np.add.reduceat(sorted_weights, ties)
        # The weight below each run of ties plus half of its own, less that above it.
        ranks = 2 * np.cumsum(mass) - mass - mass.sum()
        return total(np.add.reduceat(sorted_weights * values, ties), ranks)

    return statistic
