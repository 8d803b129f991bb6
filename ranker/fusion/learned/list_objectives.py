"""List losses as LightGBM takes them: gradients and second derivatives with respect to the score of each row."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats

Slopes: TypeAlias = tuple[Floats, Floats]
Objective: TypeAlias = Callable[[Floats, Floats, Floats, NDArray[np.intp]], Slopes]
"""Maps scores, labels and weights [M], and the requests' sizes in order, to gradients and second derivatives [M]."""

LEAST = 1e-6
"""Least second derivative: a leaf's value is a ratio to their sum."""
PAIRS = 4_000_000
"""Pairs in memory at a time, about."""


def softmax(scores: Floats, labels: Floats, weights: Floats, sizes: NDArray[np.intp]) -> Slopes:
    """Of the cross-entropy of a request's softmax with its labels scaled to sum 1 (Cao et al. 2007).

    The second derivatives are the diagonal of its Hessian, ``p (1 - p)`` times the sum of the scaled labels.
    """
    starts = np.cumsum(sizes) - sizes
    shifted = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
    share = shifted / np.repeat(np.add.reduceat(shifted, starts), sizes)
    totals = np.repeat(np.add.reduceat(labels, starts), sizes)
    gains = weights * np.divide(labels, totals, out=np.zeros(len(labels)), where=totals > 0)
    gained = np.repeat(np.add.reduceat(gains, starts), sizes)
    return gained * share - gains, np.maximum(gained * share * (1.0 - share), LEAST)


def pairwise_logistic(scores: Floats, labels: Floats, weights: Floats, sizes: NDArray[np.intp]) -> Slopes:
    """Of the mean over a request's pairs of the log loss of "the higher label ranks first" (Burges et al. 2005)."""
    return _of_pairs(scores, labels, weights, sizes, each_request_once=True)


def bpr(scores: Floats, labels: Floats, weights: Floats, sizes: NDArray[np.intp]) -> Slopes:
    """Of the sum over all pairs of the log loss of "the higher label ranks first" (Rendle et al. 2009)."""
    return _of_pairs(scores, labels, weights, sizes, each_request_once=False)


def _of_pairs(
    scores: Floats, labels: Floats, weights: Floats, sizes: NDArray[np.intp], *, each_request_once: bool
) -> Slopes:
    gradient, curvature = np.zeros(len(scores)), np.full(len(scores), LEAST)
    for better, worse, of in _preferences(labels, sizes):
        lost = 1.0 / (1.0 + np.exp(np.clip(scores[better] - scores[worse], -500.0, 500.0)))
        weight = weights[better]
        if each_request_once:
            weight = weight / np.bincount(of)[of]
        slope, curve = weight * lost, weight * lost * (1.0 - lost)
        gradient += np.bincount(worse, slope, len(scores)) - np.bincount(better, slope, len(scores))
        curvature += np.bincount(worse, curve, len(scores)) + np.bincount(better, curve, len(scores))
    return gradient, curvature


def _preferences(
    labels: Floats, sizes: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]]:
    """Rows with the higher and with the lower label of each pair, and its request, in blocks of whole requests."""
    starts = np.cumsum(sizes) - sizes
    blocks = np.searchsorted(np.cumsum(sizes.astype(np.int64) ** 2), np.arange(PAIRS, np.sum(sizes**2) + PAIRS, PAIRS))
    for own in np.split(np.arange(len(sizes)), np.unique(blocks + 1)):
        rows = np.repeat(own, sizes[own])
        index = np.arange(len(rows)) - np.repeat(np.cumsum(sizes[own]) - sizes[own], sizes[own]) + starts[rows]
        wide = sizes[rows]
        first = np.repeat(index, wide)
        second = np.arange(len(first)) - np.repeat(np.cumsum(wide) - wide, wide) + np.repeat(starts[rows], wide)
        preferred = labels[first] > labels[second]
        yield first[preferred], second[preferred], np.repeat(rows, wide)[preferred]


LIST_OBJECTIVES: Mapping[str, Objective] = {"softmax": softmax, "pairwise_logistic": pairwise_logistic, "bpr": bpr}
