"""Deviations that inputs are divided by."""

import numpy as np

from ranker.encoding.columns import Floats


def usable_deviation(deviation: Floats, mean: Floats) -> Floats:
    """Deviations to divide by: 1 where one is no more than the rounding of its mean, as of a constant column."""
    return np.where(deviation > np.maximum(1e-12 * np.abs(mean), 1e-30), deviation, 1.0)
