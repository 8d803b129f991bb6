"""Log loss of binary predictions."""

import numpy as np
from numpy.typing import ArrayLike

from ranker.metrics.checks import (
    Floats,
    Statistic,
    checked_labels,
    checked_probabilities,
    checked_weights,
    ratio,
    total,
)

CLIP = float(np.finfo(np.float32).eps)
"""Probabilities are clipped to [CLIP, 1 - CLIP]; beyond it a float32 sigmoid rounds to 0 or 1."""


def log_loss(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean negative log likelihood of the labels, in nats.

    Parameters
    ----------
    labels, scores
        Labels in {0, 1} and probabilities [N], clipped by ``CLIP``, so that no row's loss exceeds 15.9.
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
    labels = checked_labels(labels)
    scores = checked_probabilities(scores, len(labels))
    return log_loss_statistic(labels, scores)(checked_weights(weights, len(labels)))


def log_loss_statistic(labels: Floats, scores: Floats) -> Statistic:
    """Return the log loss of checked rows as a function of their weights [N]."""
    clipped = np.clip(scores, CLIP, 1.0 - CLIP)
    losses = -np.log(np.where(labels == 1, clipped, 1.0 - clipped))

    def statistic(weights: Floats) -> float:
        return ratio(total(losses, weights), weights.sum())

    return statistic
