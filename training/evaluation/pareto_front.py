"""Which points no other point dominates, and the volume that points dominate; more is better everywhere."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def non_dominated(gains: Values) -> NDArray[np.bool_]:
    """Which of N points, gains [N, M], no other dominates: [N].

    A point dominates another if it is nowhere below it and somewhere above. Equal points do not dominate each other.
    """
    gains = np.asarray(gains, dtype=np.float64)
    nowhere_below = (gains[:, None] >= gains[None, :]).all(axis=2)
    somewhere_above = (gains[:, None] > gains[None, :]).any(axis=2)
    return np.asarray(~(nowhere_below & somewhere_above).any(axis=0))


def hypervolume(gains: Values, reference: Values) -> float:
    """Volume that points [N, M] dominate above a reference point [M], exactly. Zitzler & Thiele 1999.

    Computed as sums of exclusive volumes (WFG; While, Bradstreet & Barone 2012); quick for a few hundred points of
    three objectives and some dozens of six. What is not above the reference in every objective adds nothing.
    """
    above = np.asarray(gains, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    return _volume(above[(above > 0.0).all(axis=1)])


def _volume(points: Values) -> float:
    """Volume between the origin and points of positive coordinates."""
    if not len(points):
        return 0.0
    points = np.unique(points[non_dominated(points)], axis=0)  # in rising order of the first coordinate
    if points.shape[1] == 1:
        return float(points.max())
    if points.shape[1] == 2:  # along a front that rises in x, y falls: one strip a point
        return float(np.sum(np.diff(points[:, 0], prepend=0.0) * points[:, 1]))
    # Those after a point reach further in the first coordinate, so that what they share with it ends where it does: it
    # is a prism over a front of one dimension less.
    total = 0.0
    for i in range(len(points)):
        here, others = points[i], points[i + 1 :]
        total += float(here[0]) * (float(np.prod(here[1:])) - _volume(np.minimum(others, here)[:, 1:]))
    return total
