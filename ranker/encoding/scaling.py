"""Standard deviations for scaling inputs."""

import numpy as np

from ranker.encoding.columns import Floats


def usable_deviation(deviation: Floats, mean: Floats) -> Floats:
    """Deviations to divide by; 1 where a deviation is only rounding error, as for a constant column."""
    return np.where(deviation > np.maximum(1e-12 * np.abs(mean), 1e-30), deviation, 1.0)
