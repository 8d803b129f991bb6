"""Detects the units of numeric times, because files in different units cannot be compared."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.log_files.log_reader import DataError

EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Units per second, for the usual units of time since 1970."""
_EARLY, _LATE = 6.3e8, 4.1e9
"""About 1990 and 2100 in seconds since 1970; a number is in this range in at most one unit."""


def unit_of(value: float) -> str | None:
    """The unit in which a number is a time between 1990 and 2100, if any."""
    return next((unit for unit, per_second in EPOCHS.items() if _EARLY <= value / per_second < _LATE), None)


class Units:
    """Compares the units of a log's files; their numbers are added in parts."""

    def __init__(self) -> None:
        self._medians: dict[str, list[float]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}

    def add(self, source: str, values: NDArray[Any]) -> None:
        """Add numbers [N > 0] of a file. The median decides, so outliers do not matter."""
        low, high = values.min().item(), values.max().item()
        if source in self._ranges:
            low, high = min(low, self._ranges[source][0]), max(high, self._ranges[source][1])
        self._ranges[source] = low, high
        self._medians.setdefault(source, []).append(float(np.median(values)))

    def check(self, column: str) -> None:
        """Raise ``DataError`` naming two files with different units and their ranges."""
        first: tuple[str, str] | None = None
        for source, medians in self._medians.items():
            unit = unit_of(float(np.median(medians)))
            if unit is None:
                continue
            first = first or (source, unit)
            if unit != first[1]:
                raise DataError(
                    f"column {column!r} looks like {first[1]} since 1970 in {first[0]} ({self._range(first[0])}) and "
                    f"like {unit} in {source} ({self._range(source)}); write all files in one unit"
                )

    def _range(self, source: str) -> str:
        low, high = self._ranges[source]
        return f"{low:.0f} to {high:.0f}"
