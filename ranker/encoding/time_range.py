"""Check of plain numbers sent as times, for artifacts whose encoder has no ``PlainTimes``."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_UNITS = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
EARLIEST = 1e14
"""Microseconds: March 1973. If training times are near 1970, other units cannot be recognised."""


class TimeRange(NamedTuple):
    """A typical training time, and the range that covers nearly all training times.

    All are microseconds since 1970.
    """

    typical: float
    low: float
    high: float

    def wrong(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of values [N] outside the range that would be near the typical time in another unit.

        Near means half to double the typical time, about the years 1997 to 2078 for times of 2024. Such numbers of
        seconds, read as microseconds, are all within the first hour of 1970.
        """
        outside = (values < self.low) | (values > self.high)
        alike = np.zeros(len(values), dtype=bool)
        for factor in _UNITS.values():
            alike |= (values >= self.typical / 2 / factor) & (values <= self.typical * 2 / factor)
        return np.asarray(outside & alike)

    def told(self, value: float) -> str | None:
        """Reason why a value is rejected; ``None`` if accepted."""
        if self.low <= value <= self.high:
            return None
        for unit, factor in _UNITS.items():
            if self.typical / 2 <= value * factor <= self.typical * 2:
                return f"this looks like {unit}"
        return None
