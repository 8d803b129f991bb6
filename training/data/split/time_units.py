"""The unit of times that are numbers: files that count since 1970 in different units do not compare."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.log_reader import DataError

EPOCHS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""How many of a unit a second has, of the units in which numbers since 1970 usually are."""
_EARLY, _LATE = 6.3e8, 4.1e9
"""Seconds since 1970 of about 1990 and 2100: a number that is such a time in one unit is none in another."""


def unit_of(value: float) -> str | None:
    """The unit in which a number is a time between 1990 and 2100."""
    return next((unit for unit, a_second in EPOCHS.items() if _EARLY <= value / a_second < _LATE), None)


class Units:
    """Compares the units of the files of a log, whose numbers are added in parts."""

    def __init__(self) -> None:
        self._medians: dict[str, list[float]] = {}
        self._ranges: dict[str, tuple[float, float]] = {}

    def add(self, source: str, values: NDArray[Any]) -> None:
        """Add some numbers [N > 0] of a file. The median decides, so a few wrong values do not."""
        low, high = values.min().item(), values.max().item()
        if source in self._ranges:
            low, high = min(low, self._ranges[source][0]), max(high, self._ranges[source][1])
        self._ranges[source] = low, high
        self._medians.setdefault(source, []).append(float(np.median(values)))

    def check(self, column: str) -> None:
        """Raise ``DataError`` naming two files of different units with their ranges."""
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
