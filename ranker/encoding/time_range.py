"""What refuses plain numbers sent for times, for artifacts whose encoder keeps no ``PlainTimes``."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_UNITS = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
EARLIEST = 1e14
"""Microseconds: in March 1973. Numbers of other units tell nothing where training's times are about 1970."""


class TimeRange(NamedTuple):
    """A typical time of training, and a range outside of which training had next to nothing.

    All are microseconds since 1970.
    """

    typical: float
    low: float
    high: float

    def wrong(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values [N] lie outside of the range, but would be of about the same years in another unit.

        Half to double the typical time, about the years 1997 to 2078 for times of 2024: such numbers of seconds,
        taken as microseconds, are all within the first hour of 1970.
        """
        outside = (values < self.low) | (values > self.high)
        alike = np.zeros(len(values), dtype=bool)
        for factor in _UNITS.values():
            alike |= (values >= self.typical / 2 / factor) & (values <= self.typical * 2 / factor)
        return np.asarray(outside & alike)

    def told(self, value: float) -> str | None:
        """Why a value is refused; ``None`` where it is taken."""
        if self.low <= value <= self.high:
            return None
        for unit, factor in _UNITS.items():
            if self.typical / 2 <= value * factor <= self.typical * 2:
                return f"this looks like {unit}"
        return None
