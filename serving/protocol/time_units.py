"""What refuses plain numbers that were sent for times in another unit than microseconds."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Encoder
from ranker.encoding.numeric import LIMIT, NumericEncoding
from ranker.encoding.plain_times import PlainTimes
from ranker.schema import Feature, Numeric

_UNITS = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
_EARLIEST = 1e14
"""Microseconds: in March 1973. Numbers of other units tell nothing where training's times are about 1970."""


class TimeRange(NamedTuple):
    """The check for artifacts whose encoder does not keep :class:`PlainTimes`: a typical time, and a range about it.

    All are microseconds since 1970; outside of the range training had next to nothing.
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


Guard: TypeAlias = PlainTimes | TimeRange


def guard_of(encoder: Encoder, name: str, feature: Feature) -> Guard | None:
    """What plain numbers of a feature are checked by; ``None`` where training had no times, or nothing tells."""
    if name not in encoder.temporal:
        return None
    plain = encoder.plain_times(name)
    if plain is None and isinstance(feature, Numeric):
        return time_range(feature, encoder.numerics[name])
    return plain


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
