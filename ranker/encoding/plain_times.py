"""Plain numbers sent as times: whether they can be microseconds since 1970 or look like another unit.

Days, hours, seconds and milliseconds of any date up to 2286 are below 10^13. Read as microseconds, they are within four
months of 1970-01-01, where few logs have times. Nanoseconds from 1978 on are beyond the year 9999. Numbers in between
can only be microseconds.
"""

from dataclasses import asdict, dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR = 10**13
"""Microseconds from 1970 that cover numbers of larger units."""
FAR = 253_402_300_800_000_000
"""Microseconds from 1970 to the year 10000."""
RARE, USUAL = 1000, 2
"""Times near 1970 are rare below 1 in 1000, and usual from 1 in 2."""
_UNITS = {"days": 86_400e6, "hours": 3_600e6, "seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
_FIRST, _LAST = 315_532_800e6, 4_102_444_800e6
"""The years 1980 to 2100: numbers that are times of these years in another unit are reported as looking like it."""


@dataclass
class PlainTimes:
    """Rules for plain numbers from a feature's training times. 0 is 1970-01-01 in every unit, so it is always accepted.

    ``near`` of the ``count`` times are near 1970 and not 0, from ``low`` to ``high``; ``step`` is their greatest common
    divisor. A few such times are often placeholders (1970-01-01 01:00 for "never"); the step distinguishes whole days
    from seconds. ``extent`` is the largest distance from 1970.
    """

    count: int = 0
    near: int = 0
    low: int = 0
    high: int = 0
    step: int = 0
    extent: int = 0

    def add(self, times: NDArray[np.int64]) -> None:
        """Add training times [N] in microseconds, without missing values."""
        if not len(times):
            return
        self.count += len(times)
        self.extent = max(self.extent, int(times.max()), -int(times.min()))
        near = times[_is_near(times)]
        if not len(near):
            return
        low, high = int(near.min()), int(near.max())
        self.low, self.high = (min(self.low, low), max(self.high, high)) if self.near else (low, high)
        self.near += len(near)
        self.step = gcd(self.step, int(np.gcd.reduce(near)))

    def wrong(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Mask of rejected plain numbers [N]; 0 and NaN are accepted."""
        refused = (values > max(FAR, self.extent)) | (values < -max(FAR, self.extent))
        places = np.flatnonzero(_is_near(values))
        if len(places) and not self._near_usual:
            near = values[places].astype(np.float64 if values.dtype.kind == "f" else np.int64)
            refused[places] = True
            if self._near_seen:
                refused[places] = (near < self.low) | (near > self.high) | (near % self.step != 0)
        return np.asarray(refused)

    def told(self, value: float) -> str | None:
        """Reason why a plain number is rejected; ``None`` if accepted."""
        if abs(value) > max(FAR, self.extent):
            return looks_like(value) or "this is beyond the year 9999"
        if not 0 < abs(value) < NEAR or self._near_usual:
            return None
        if self._near_seen and self.low <= value <= self.high and value % self.step == 0:
            return None
        return looks_like(value) or "this is within four months of 1970-01-01, where training had no such time"

    def state(self) -> dict[str, int]:
        """JSON data to rebuild it with ``PlainTimes(**state)``."""
        return asdict(self)

    @property
    def _near_seen(self) -> bool:
        return self.near > 0 and self.near * RARE >= self.count

    @property
    def _near_usual(self) -> bool:
        return self.low < self.high and self.near * USUAL >= self.count


def looks_like(value: float) -> str | None:
    """Describe the unit, other than microseconds, in which a number is a time in 1980 to 2100, if any."""
    for unit, factor in _UNITS.items():
        if _FIRST <= value * factor <= _LAST:
            return f"this looks like {unit}"
    return None


def _is_near(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((values > -NEAR) & (values < NEAR) & (values != 0))
