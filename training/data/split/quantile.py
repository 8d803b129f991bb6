"""Exact selection of the value at a rank of a long column in bounded memory: radix selection on ordered keys."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

BITS = 16
"""Bits of the key resolved per pass; a pass needs 2**BITS counters."""
SIGN = np.uint64(1 << 63)

Passes = Callable[[], Iterable[NDArray[Any]]]
"""Streams all values, int64 or float64 without NaN, from the start; called once per pass."""


def at_rank(passes: Passes, rank: int, low: Any, high: Any) -> Any:
    """The value at ``rank`` (from 0) in ascending order; all values lie in [``low``, ``high``].

    Needs one pass over the data per 16 bits in which values can differ, at most four.
    """
    dtype = np.float64 if isinstance(low, float) else np.int64
    first, last = (int(keys(np.array([end], dtype=dtype))[0]) for end in (low, high))
    while first < last:
        shift = np.uint64(max((last - first).bit_length() - BITS, 0))
        counts = np.zeros(1 << BITS, dtype=np.int64)
        for part in _within(passes, dtype, first, last):
            counts += np.bincount(((part - np.uint64(first)) >> shift).astype(np.int64), minlength=1 << BITS)
        below = np.cumsum(counts)
        bucket = int(np.searchsorted(below, rank, side="right"))
        rank -= int(below[bucket] - counts[bucket])
        first += bucket << int(shift)
        last = min(last, first + (1 << int(shift)) - 1)
    return values(np.array([first], dtype=np.uint64), dtype)[0].item()


def keys(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Map int64 or float64 values to unsigned integers in the same order."""
    if numbers.dtype == np.int64:
        return numbers.view(np.uint64) ^ SIGN
    bits = (numbers + 0.0).view(np.uint64)  # turns -0.0 into 0.0
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def values(found: NDArray[np.uint64], dtype: Any) -> NDArray[Any]:
    """Inverse of :func:`keys`."""
    if dtype == np.int64:
        return (found ^ SIGN).view(np.int64)
    return np.where(found & SIGN, found ^ SIGN, ~found).view(np.float64)


def _within(passes: Passes, dtype: Any, first: int, last: int) -> Iterator[NDArray[np.uint64]]:
    for part in passes():
        found = keys(part.astype(dtype))
        yield found[(found >= np.uint64(first)) & (found <= np.uint64(last))]
