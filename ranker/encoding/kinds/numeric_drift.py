"""How far a numeric column has moved since its scale or its buckets were fitted."""

import numpy as np

from ranker.encoding.columns import Floats
from ranker.encoding.scaling import usable_deviation

SHIFT = 0.5
"""Earlier standard deviations by which a mean may move."""
RATIO = 2.0
"""Factor by which a standard deviation may change."""
SHARE = 0.2
"""Fraction of the values that may lie in other buckets."""
FEW = 100
"""Values below which nothing is compared."""


def scale_moved(mean: float, deviation: float, earlier_mean: float, earlier_deviation: float) -> str | None:
    """How the mean and standard deviation of a column moved, if far.

    An earlier deviation of 1 may be that of a constant; a column that still is one has not moved.
    """
    if earlier_deviation == 1.0:
        deviation = float(usable_deviation(np.array(deviation), np.array(mean)))
    near = abs(mean - earlier_mean) <= SHIFT * earlier_deviation
    if near and earlier_deviation / RATIO <= deviation <= RATIO * earlier_deviation:
        return None
    return f"mean {earlier_mean:.4g} -> {mean:.4g}, deviation {earlier_deviation:.4g} -> {deviation:.4g}"


def bucket_shares(values: Floats, edges: Floats) -> Floats:
    """Fraction of the values [N > 0] in each bucket [len(edges) + 1]."""
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return counts / max(len(values), 1)


def buckets_moved(shares: Floats, earlier: Floats) -> str | None:
    """How many values changed their bucket, if many: half the sum of absolute differences of shares."""
    distance = float(np.abs(shares - earlier).sum() / 2)
    return None if distance <= SHARE else f"{distance:.0%} of the values lie in other buckets than before"
