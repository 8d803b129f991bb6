"""Which of the validation rows stand for all of them, and which requests are shown."""

import numpy as np
from numpy.typing import NDArray

from training.data.encode import NO_GROUP

Indices = NDArray[np.int64]

RUN = 20
"""Rows in a row that count as a request where nothing says which rows belong together."""
EXAMPLES = 6
FEWEST, MOST = 5, 40


def sampled(groups: Indices | None, rows: int, limit: int) -> tuple[Indices, Indices]:
    """At most ``limit`` of the rows, whole requests drawn at random: their indices, rising, and request [M], from 0.

    ``groups`` are keys [N] of the requests; ``None`` makes one of every 20 rows in a row. Rows of no group belong to no
    request and are left out, unless no row has a group. A single request of more rows than the limit is cut.
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
    """Rows of some requests to look at: of 5 to 40 candidates where there are, with responses to many objectives.

    ``requests`` [M] are codes, ``positive`` [M, T] says which labels are above 0.
    """
    sizes = np.bincount(requests)
    answered = np.zeros((len(sizes), positive.shape[1]), dtype=bool)
    np.logical_or.at(answered, requests, positive)
    handy = (sizes >= FEWEST) & (sizes <= MOST)
    best = np.lexsort((-sizes, -answered.sum(axis=1), ~handy))[:EXAMPLES]
    return [np.flatnonzero(requests == request)[:MOST].tolist() for request in sorted(best.tolist())]
