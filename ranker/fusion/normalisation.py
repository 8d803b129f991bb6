"""Normalisation of one objective's scores within each request."""

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.requests import Requests

Normalisation: TypeAlias = Callable[[Floats, Requests], Floats]


def none(scores: Floats, _: Requests) -> Floats:
    """Return scores [N] unchanged."""
    return scores


def min_max(scores: Floats, requests: Requests) -> Floats:
    """``(p - min) / (max - min)`` [N]; 1/2 if all scores of the request are equal."""
    least = requests.least(scores)
    width = requests.greatest(scores) - least
    return np.where(width > 0, (scores - least) / np.where(width > 0, width, 1.0), 0.5)


def z_score(scores: Floats, requests: Requests) -> Floats:
    """``(p - mean) / standard deviation`` [N]; 0 if all scores of the request are equal."""
    unit = min_max(scores, requests)  # same z-scores, but avoids cancellation in the squares
    from_mean = unit - requests.mean(unit)
    deviation = np.sqrt(requests.mean(from_mean**2))
    varied = requests.greatest(scores) > requests.least(scores)
    return np.where(varied, from_mean / np.where(varied, deviation, 1.0), 0.0)


def rank(scores: Floats, requests: Requests) -> Floats:
    """Fraction of the request's candidates that are not better [N]: 1 for the best; equal scores share a rank."""
    return 1.0 - requests.better(scores) / requests.size


NormalisationName: TypeAlias = Literal["none", "min_max", "z_score", "rank"]

NORMALISATIONS: Mapping[str, Normalisation] = {"none": none, "min_max": min_max, "z_score": z_score, "rank": rank}
