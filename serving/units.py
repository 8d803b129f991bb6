"""Whether numbers of a feature that held times in training were sent in seconds in place of microseconds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.numeric import LIMIT, NumericEncoding
from ranker.schema import Numeric

_UNITS = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
_EARLIEST = 1e14
"""Microseconds: in March 1973. Numbers of other units tell nothing where training's times are about 1970."""


class TimeRange(NamedTuple):
    """Microseconds since 1970 that training met: a typical time, and the range outside of which none was."""

    typical: float
    low: float
    high: float

    def other_units(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values [N] are no times of training's, but would be of about the same years in another unit.

        Half to double the typical time, about the years 1997 to 2078 for times of 2024: such numbers of seconds,
        taken as microseconds, are all within the first hour of 1970.
        """
        outside = (values < self.low) | (values > self.high)
        alike = np.zeros(len(values), dtype=bool)
        for factor in _UNITS.values():
            alike |= (values >= self.typical / 2 / factor) & (values <= self.typical * 2 / factor)
        return np.asarray(outside & alike)

    def other_unit(self, value: float) -> str | None:
        """What to say of a value that :meth:`other_units` finds."""
        if self.low <= value <= self.high:
            return None
        for unit, factor in _UNITS.items():
            if self.typical / 2 <= value * factor <= self.typical * 2:
                return f"must be in microseconds since 1970-01-01 UTC, or ISO 8601 text; this looks like {unit}"
        return None


def time_range(feature: Numeric, fitted: NumericEncoding) -> TimeRange | None:
    """The range of a feature whose column held times; ``None`` where what was fitted does not tell."""
    if feature.transform == "buckets":
        if not fitted.edges:
            return None
        found = TimeRange(float(np.median(fitted.edges)), fitted.edges[0], fitted.edges[-1])
    elif feature.transform == "none":
        return None
    else:
        middle, reach = fitted.mean, LIMIT * fitted.deviation
        ends = np.array([middle, middle - reach, middle + reach])
        if feature.transform == "log1p":
            with np.errstate(over="ignore"):
                ends = np.copysign(np.expm1(np.abs(ends)), ends)
        found = TimeRange(*ends.tolist())
    return found if found.typical >= _EARLIEST else None
