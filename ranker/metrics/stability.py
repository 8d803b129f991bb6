"""Whether scores are still spread as they were: the population stability index over bins of equal share."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 10
LEAST_SHARE = 1e-4
"""Shares are taken to be at least this, so that an empty bin gives a large index and no infinite one."""
SHIFT = 0.25
"""Index of a shift, by custom; the lowest threshold."""
PART = 1000
"""Values of one part of those that a threshold is calibrated on, one after the other in the log."""
FEWEST_PARTS = 5
MARGIN, QUANTILE = 1.5, 0.95
"""A threshold is so many times the index that so large a share of the parts stays below."""


class Spread(NamedTuple):
    """How values are spread: K - 1 inner edges, ascending, and the share of values in each of K bins, summing to 1."""

    edges: NDArray[np.float64]
    shares: NDArray[np.float64]
    threshold: float = SHIFT
    """Index above which other values are spread otherwise than parts of these are."""


def spread(values: NDArray[np.floating], bins: int = BINS) -> Spread:
    """Bins that hold equal shares of the values [N], fewer where values are tied. Raises ``ValueError`` for none.

    The threshold is above the indices of parts of the values, taken in their order. Neighbours in a log are alike, as
    those of one request or hour are, so it is higher where values vary more from one to the next.
    """
    if not len(values):
        raise ValueError("no values to measure the spread of")
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
    """Counts [K] of values [N] between edges [K - 1]; a value on an edge belongs above it."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def stability_index(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Population stability index, sum (f - e) ln(f / e), of shares [K]; 0 where they are equal.

    By custom below 0.1 is stable and above 0.25 a shift. Siddiqi, "Credit Risk Scorecards", 2006.
    """
    e, f = np.maximum(expected, LEAST_SHARE), np.maximum(found, LEAST_SHARE)
    return float(np.sum((f - e) * np.log(f / e)))
