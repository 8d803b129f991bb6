"""Relevance of a request's candidates in [0, 1], so that a trade-off means the same for any formula."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from ranker.fusion.base import Floats


def scaled(fused: Floats) -> Floats:
    """``(fused - min) / (max - min)`` [..., M]: 1 for the best; all 1 if equal. Infinite scores are 0 and 1."""
    finite = np.isfinite(fused)
    least = fused.min(axis=-1, keepdims=True, initial=np.inf, where=finite)
    most = fused.max(axis=-1, keepdims=True, initial=-np.inf, where=finite)
    half = most / 2 - least / 2  # the difference of two large scores could overflow; -inf without finite scores
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.clip((fused / 2 - least / 2) / half, 0.0, 1.0)
    equal = np.where(most < least, fused > 0, fused >= least)
    return np.where(half > 0, values, equal.astype(np.float64))


def ranked(fused: Floats) -> Floats:
    """``1 - better / (M - 1)`` [..., M], from the number of candidates with a better fused score."""
    order = np.argsort(-fused, axis=-1, kind="stable")
    ordered = np.take_along_axis(fused, order, axis=-1)
    first = np.arange(fused.shape[-1]) * np.insert(ordered[..., 1:] != ordered[..., :-1], 0, True, axis=-1)
    better = np.empty(fused.shape)
    np.put_along_axis(better, order, np.maximum.accumulate(first, axis=-1), axis=-1)
    return np.asarray(1.0 - better / max(fused.shape[-1] - 1, 1))


RELEVANCES: Mapping[Literal["score", "rank"], Callable[[Floats], Floats]] = {"score": scaled, "rank": ranked}
