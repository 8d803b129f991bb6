"""Relevance of a request's candidates in [0, 1], so that a trade-off means the same for any formula."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from ranker.fusion.base import Floats


def scaled(fused: Floats) -> Floats:
    """``(fused - min) / (max - min)`` [M]: 1 for the best; all 1 if equal. Infinite scores are 0 and 1."""
    finite = fused[np.isfinite(fused)]
    if not len(finite):
        return (fused > 0).astype(np.float64)
    least, most = float(finite.min()), float(finite.max())
    half = most / 2 - least / 2  # the difference of two large scores could overflow
    if not half > 0:
        return np.where(fused < least, 0.0, 1.0)
    return np.clip((fused / 2 - least / 2) / half, 0.0, 1.0)


def ranked(fused: Floats) -> Floats:
    """``1 - better / (M - 1)`` [M], from the number of candidates with a better fused score."""
    ordered = np.sort(-fused)
    return np.asarray(1.0 - np.searchsorted(ordered, -fused) / max(len(fused) - 1, 1))


RELEVANCES: Mapping[Literal["score", "rank"], Callable[[Floats], Floats]] = {"score": scaled, "rank": ranked}
