"""Samples validation rows for reports and chooses example requests."""

import numpy as np
from numpy.typing import NDArray

from training.data.encode import NO_GROUP

Indices = NDArray[np.int64]

RUN = 20
"""Consecutive rows that form a request if there is no group column."""
EXAMPLES = 6
FEWEST, MOST = 5, 40


def sampled(groups: Indices | None, rows: int, limit: int) -> tuple[Indices, Indices]:
    """Sample whole requests at random, at most ``limit`` rows: ascending row indices [M] and request codes [M], from 0.

    ``groups`` are request keys [N]; ``None`` makes a request of every 20 consecutive rows. Rows without a group are
    left out, unless no row has one. A single request larger than the limit is truncated.
    """
    if groups is not None and not (groups != NO_GROUP).any():
        groups = None
    grouped = np.arange(rows) if groups is None else np.flatnonzero(groups != NO_GROUP)
    keys = grouped // RUN if groups is None else groups[grouped]
    _, codes = np.unique(keys, return_inverse=True)
    sizes = np.bincount(codes)
    drawn = np.random.default_rng(0).permutation(len(sizes))
    fitting = max(1, int(np.searchsorted(np.cumsum(sizes[drawn]), limit, side="right")))
    chosen = np.flatnonzero(np.isin(codes, drawn[:fitting]))[:limit]
    return grouped[chosen], np.unique(codes[chosen], return_inverse=True)[1].astype(np.int64)


def examples(requests: Indices, positive: NDArray[np.bool_]) -> list[list[int]]:
    """Row indices of example requests, preferring 5 to 40 candidates and positives for many objectives.

    ``requests`` [M] are codes, ``positive`` [M, T] marks labels above 0.
    """
    sizes = np.bincount(requests)
    answered = np.zeros((len(sizes), positive.shape[1]), dtype=bool)
    np.logical_or.at(answered, requests, positive)
    right_size = (sizes >= FEWEST) & (sizes <= MOST)
    best = np.lexsort((-sizes, -answered.sum(axis=1), ~right_size))[:EXAMPLES]
    return [np.flatnonzero(requests == request)[:MOST].tolist() for request in sorted(best.tolist())]
