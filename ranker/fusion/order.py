"""Ranking by fused scores."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.fusion.base import FusionError


def order(fused: ArrayLike, k: int | None = None) -> NDArray[np.intp]:
    """Indices of the ``k`` best candidates by fused scores [N], best first; ``None`` ranks all.

    Tied candidates keep their input order, also across the k-th place. ``k`` above N returns N indices. Raises
    ``FusionError`` for another shape, for NaN, and for ``k`` below 1.
    """
    fused = np.asarray(fused, dtype=np.float64)
    if fused.ndim != 1:
        raise FusionError(f"fused must be [candidates], got shape {list(fused.shape)}")
    if np.isnan(fused).any():
        raise FusionError(f"fused must not be NaN, got NaN for candidate {np.flatnonzero(np.isnan(fused))[0]}")
    if k is not None and k < 1:
        raise FusionError(f"k must be >= 1, got {k}")
    if k is None or k >= len(fused):
        return np.argsort(-fused, kind="stable")
    # A partition picks arbitrarily among equal candidates, so it is used only for the k-th best value.
    threshold = np.partition(fused, len(fused) - k)[len(fused) - k]
    above = np.flatnonzero(fused > threshold)
    tied = np.flatnonzero(fused == threshold)[: k - len(above)]
    return np.concatenate([above[np.argsort(-fused[above], kind="stable")], tied])
