"""Non-dominated points and dominated hypervolume; higher is better in every objective."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def non_dominated(gains: Values) -> NDArray[np.bool_]:
    """Mask [N] of the points, gains [N, M], that no other point dominates.

    A point dominates another if it is at least as high in every objective and higher in one, so equal points do not
    dominate each other.
    """
    gains = np.asarray(gains, dtype=np.float64)
    nowhere_below = (gains[:, None] >= gains[None, :]).all(axis=2)
    somewhere_above = (gains[:, None] > gains[None, :]).any(axis=2)
    return np.asarray(~(nowhere_below & somewhere_above).any(axis=0))


def hypervolume(gains: Values, reference: Values) -> float:
    """Exact volume dominated by points [N, M] above a reference point [M]. Zitzler & Thiele 1999.

    Computed as a sum of exclusive volumes (WFG; While, Bradstreet & Barone 2012); fast for a few hundred points in
    three objectives or some dozens in six. Points not above the reference in every objective add nothing.
    """
    above = np.asarray(gains, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    return _volume(above[(above > 0.0).all(axis=1)])


def _volume(points: Values) -> float:
    """Volume between the origin and points with positive coordinates."""
    if not len(points):
        return 0.0
    points = np.unique(points[non_dominated(points)], axis=0)  # in rising order of the first coordinate
    if points.shape[1] == 1:
        return float(points.max())
    if points.shape[1] == 2:  # y falls along a front as x rises: one strip per point
        return float(np.sum(np.diff(points[:, 0], prepend=0.0) * points[:, 1]))
    # Later points reach further in the first coordinate, so their overlap with this point is a prism over a front of
    # one dimension less.
    total = 0.0
    for i in range(len(points)):
        here, others = points[i], points[i + 1 :]
        total += float(here[0]) * (float(np.prod(here[1:])) - _volume(np.minimum(others, here)[:, 1:]))
    return total
