"""Input checks and helpers shared by metrics."""

from collections.abc import Callable
from typing import SupportsFloat

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

Statistic = Callable[[Floats], float]
"""A metric of fixed data as a function of the weights of its units: rows, or groups of rows."""


def checked_numbers(name: str, values: ArrayLike, rows: int | None = None) -> Floats:
    """Return ``values`` as float64 [N]; raise ``ValueError`` for another shape or length or a non-finite value."""
    array = np.asarray(values, dtype=np.float64)
    _check_shape(name, array, rows)
    _check_rows(name, array, np.isfinite(array), "finite")
    return array


def checked_labels(labels: ArrayLike) -> Floats:
    """Return binary labels as float64 [N]; raise ``ValueError`` for a value other than 0 and 1."""
    array = np.asarray(labels, dtype=np.float64)
    _check_shape("labels", array, None)
    _check_rows("labels", array, (array == 0) | (array == 1), "0 or 1")
    return array


def checked_probabilities(scores: ArrayLike, rows: int) -> Floats:
    """Return probabilities as float64 [N]; raise ``ValueError`` for one that is not finite or outside [0, 1]."""
    array = checked_numbers("scores", scores, rows)
    _check_rows("scores", array, (array >= 0) & (array <= 1), "probabilities in [0, 1]")
    return array


def checked_weights(weights: ArrayLike | None, rows: int) -> Floats:
    """Return row weights as float64 [N], ones for ``None``; raise ``ValueError`` for a negative one."""
    if weights is None:
        return np.ones(rows)
    array = checked_numbers("weights", weights, rows)
    _check_rows("weights", array, array >= 0, ">= 0")
    return array


def checked_groups(groups: ArrayLike, rows: int) -> NDArray[np.intp]:
    """Group keys [N] of any sortable type -> codes [N], 0 .. G-1 in sorted key order."""
    array = np.asarray(groups)
    _check_shape("groups", array, rows)
    if array.dtype.kind == "f":
        _check_rows("groups", array, np.isfinite(array), "finite")
    try:
        return np.unique(array, return_inverse=True)[1]
    except TypeError as error:
        raise ValueError(f"groups must be keys of one sortable type, such as all int or all str: {error}") from None


def total(values: Floats, weights: Floats) -> float:
    """Sum of ``values`` [N] times ``weights`` [N]."""
    # Not a dot product: multithreaded BLAS may wait for a busy core longer than the sum takes.
    return float((values * weights).sum())


def ratio(numerator: SupportsFloat, denominator: SupportsFloat) -> float:
    """``numerator / denominator``; NaN if the denominator is 0."""
    below = float(denominator)
    return float(numerator) / below if below else float("nan")


def run_starts(*keys: NDArray[np.generic]) -> NDArray[np.intp]:
    """Start positions of runs of rows that are equal in all ``keys`` [N]; rows must be sorted by them."""
    if not len(keys[0]):
        return np.empty(0, dtype=np.intp)
    begins = np.zeros(len(keys[0]), dtype=bool)
    begins[0] = True
    for key in keys:
        begins[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(begins)


def _check_shape(name: str, array: NDArray[np.generic], rows: int | None) -> None:
    if array.ndim != 1:
        raise ValueError(f"{name} must be [rows], got shape {list(array.shape)}")
    if rows is not None and len(array) != rows:
        raise ValueError(f"{name} must have {rows} rows, as the other arrays, got {len(array)}")


def _check_rows(name: str, array: NDArray[np.generic], valid: NDArray[np.bool_], what: str) -> None:
    if not valid.all():
        row = int(np.flatnonzero(~valid)[0])
        raise ValueError(f"{name} must be {what}, got {array[row]} in row {row}")
