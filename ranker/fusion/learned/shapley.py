"""Shapley values: each input's contribution to a score, averaged over all orders of adding inputs."""

from collections.abc import Callable
from math import comb

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

EXACT = 10
"""Maximum number of inputs for exact values from all 2^T subsets."""
ORDERS = 64
"""Number of sampled orders for more inputs: half are drawn, the others are their reverses."""
ROWS = 4096
"""Rows scored at a time."""

Score = Callable[[Floats], Floats]
Subsets = NDArray[np.bool_]


def shapley(score: Score, present: Floats, absent: Floats, inputs: int) -> Floats:
    """Shapley values [M, T] of the first T = ``inputs`` columns, for each of M rows (Shapley 1953).

    The value of a subset of inputs is the score of a row with these inputs from ``present`` and the others from
    ``absent``; columns after the first T always come from ``present``. The values of a row sum to the score of
    ``present`` minus the score of ``absent``, and are 0 for an input that never changes the score. They are exact up to
    ``EXACT`` inputs; above, each is a mean over ``ORDERS`` orders drawn with a fixed seed, and the sum still holds.

    Parameters
    ----------
    score
        Scores [R] of rows [R, F], independent across rows.
    present, absent
        Rows [M, F].
    """
    return (_exact if inputs <= EXACT else _sampled)(score, present, absent, inputs)


def _exact(score: Score, present: Floats, absent: Floats, inputs: int) -> Floats:
    numbers = np.arange(2**inputs)
    subsets = (numbers[:, None] >> np.arange(inputs) & 1).astype(bool)  # the bits of s are the inputs of subset s
    scores = _subset_scores(score, present, absent, subsets)
    # A subset of s inputs precedes a given other input in one of T * comb(T - 1, s) orders.
    share = np.array([1 / (inputs * comb(inputs - 1, size)) for size in range(inputs)])
    values = np.empty((len(present), inputs))
    for i in range(inputs):
        before = numbers[~subsets[:, i]]
        gains = scores[before | 1 << i] - scores[before]
        values[:, i] = (share[subsets[before].sum(axis=1), None] * gains).sum(axis=0)
    return values


def _sampled(score: Score, present: Floats, absent: Floats, inputs: int) -> Floats:
    generator = np.random.default_rng(0)
    values = np.zeros((len(present), inputs))
    for _ in range(ORDERS // 2):
        drawn = generator.permutation(inputs)
        for order in (drawn, drawn[::-1]):
            place = np.argsort(order)
            subsets = place < np.arange(inputs + 1)[:, None]  # prefixes of 0, 1, ..., T inputs
            values[:, order] += np.diff(_subset_scores(score, present, absent, subsets), axis=0).T
    return values / ORDERS


def _subset_scores(score: Score, present: Floats, absent: Floats, subsets: Subsets) -> Floats:
    """Scores [S, M] of rows with the inputs of subsets [S, T] from ``present`` and others from ``absent``."""
    count, inputs = subsets.shape
    scores = np.empty((count, len(present)))
    tall = max(1, ROWS // max(len(present), 1))
    for first in range(0, count, tall):
        chosen = subsets[first : first + tall, None, :]
        rows = np.repeat(present[None], len(chosen), axis=0)
        rows[:, :, :inputs] = np.where(chosen, present[:, :inputs], absent[:, :inputs])
        scores[first : first + tall] = score(rows.reshape(-1, present.shape[1])).reshape(len(chosen), -1)
    return scores
