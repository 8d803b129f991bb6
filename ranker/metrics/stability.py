"""Distribution drift: the population stability index over bins of equal frequency."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10
LEAST_SHARE = 1e-4
"""Lower bound of bin frequencies, so that an empty bin gives a large but finite index."""
SHIFT = 0.25
"""Conventional index of a shift; the minimum threshold."""
PART = 1000
"""Consecutive values per part when calibrating the threshold."""
FEWEST_PARTS = 5
MARGIN, QUANTILE = 1.5, 0.95
"""The threshold is this factor times this quantile of the parts' indices."""


class Spread(NamedTuple):
    """A distribution: K - 1 ascending inner edges, and the frequencies of K bins, summing to 1."""

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    threshold: float = SHIFT
    """Index above which values are considered drifted, calibrated on parts of the reference values."""


def spread(values: NDArray[np.floating], bins: int = BINS) -> Spread:
    """Build bins of equal frequency for values [N], fewer if values are tied. Raises ``ValueError`` without values.

    The threshold is above the indices of consecutive parts of the values. Neighbouring rows of a log are similar, such
    as those of one request or hour, so it is higher if values vary more over the log.
    """
    if not len(values):
        raise ValueError("cannot build bins without values")
    numbers = np.asarray(values, dtype=np.float64)
    edges = np.unique(np.quantile(numbers, np.arange(1, bins) / bins))
    counts = binned(numbers, edges)
    shares = counts / counts.sum()
    return Spread(edges, shares, _threshold(numbers, edges, shares))


def _threshold(values: NDArray[np.float64], edges: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    parts = np.split(values[: len(values) // PART * PART], len(values) // PART) if len(values) >= PART else []
    if len(parts) < FEWEST_PARTS:
        return SHIFT
    indices = [stability_index(shares, binned(part, edges) / PART) for part in parts]
    return max(SHIFT, MARGIN * float(np.quantile(indices, QUANTILE)))


def binned(values: NDArray[np.floating], edges: NDArray[np.float64] | Sequence[float]) -> NDArray[np.int64]:
    """Counts [K] of values [N] between edges [K - 1]; a value on an edge goes to the bin above."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def stability_index(expected: NDArray[np.float64], observed: NDArray[np.float64]) -> float:
    """Population stability index, sum (f - e) ln(f / e), of frequencies [K]; 0 if they are equal.

    By convention, below 0.1 is stable and above 0.25 a shift. Siddiqi, "Credit Risk Scorecards", 2006.
    """
    e, f = np.maximum(expected, LEAST_SHARE), np.maximum(observed, LEAST_SHARE)
    return float(np.sum((f - e) * np.log(f / e)))
