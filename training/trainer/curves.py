"""Downsamples a run's step log into curves: losses, weights, gradient norms and cosines."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

POINTS = 60

CURVES = {
    "loss": "training loss",
    "weight": "weight of the task's gradient",
    "norm": "norm of the task's gradient",
    "cosine": "cosine between gradients",
}
"""Curves and their titles; norms and cosines exist only if gradients were compared."""


def trace(path: Path, points: int = POINTS) -> dict[str, Any]:
    """Read ``steps.jsonl``: ``step`` [P], and for each kind the curves [P] by task, or by pair for cosines.

    The steps are divided into P = ``points`` windows (fewer for short runs); a point is the mean over its window, or
    ``None`` if the window has no finite value.
    """
    records = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    if not records:
        return {}
    tasks = list(records[0]["loss"])
    windows = [window for window in np.array_split(np.arange(len(records)), min(points, len(records))) if len(window)]
    curves: dict[str, Any] = {"step": [records[window[-1]]["step"] for window in windows]}
    for kind in ("loss", "weight"):
        values = np.array([list(record[kind].values()) for record in records], dtype=np.float64)
        curves[kind] = {task: _means(values[:, i], windows) for i, task in enumerate(tasks)}
    if not any("gramian" in record for record in records):
        return curves
    nothing = np.full((len(tasks), len(tasks)), np.nan)
    gramians = np.array([record.get("gramian", nothing) for record in records], dtype=np.float64)
    norms = np.sqrt(np.maximum(np.diagonal(gramians, axis1=1, axis2=2), 0.0))
    curves["norm"] = {task: _means(norms[:, i], windows) for i, task in enumerate(tasks)}
    with np.errstate(divide="ignore", invalid="ignore"):
        cosines = gramians / (norms[:, :, None] * norms[:, None, :])  # NaN for zero gradients
    pairs = combinations(range(len(tasks)), 2)
    curves["cosine"] = {f"{tasks[i]}, {tasks[j]}": _means(cosines[:, i, j], windows) for i, j in pairs}
    return curves


def _means(values: NDArray[np.float64], windows: Sequence[NDArray[np.int64]]) -> list[float | None]:
    finite = [values[window][np.isfinite(values[window])] for window in windows]
    return [float(part.mean()) if len(part) else None for part in finite]
