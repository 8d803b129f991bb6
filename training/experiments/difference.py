"""The difference of one group to a control, with intervals of any level."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from training.experiments.critical import Critical

FEWEST_ACTIVE = 10
"""Fewest units of two groups with a numerator other than 0: with fewer, a normal approximation raises alarms."""
_NO_SPREAD = 1e-12
"""Largest ratio of error to value that rounding alone can cause."""


class Estimate(NamedTuple):
    """A metric of one group: value, variance of the value, number of units, and of those with a numerator other than 0.

    ``value`` is NaN if the denominator is 0, and ``variance`` with fewer than two units.
    """

    value: float
    variance: float
    units: int
    active: int


@dataclass(frozen=True)
class Difference:
    """A metric of a group compared with the control's.

    Attributes
    ----------
    metric, group, control
        What is compared.
    new, old
        Estimates of the group and the control, adjusted by the covariate if there is one.
    level
        Probability with which the interval misses.
    method
        How intervals are computed.
    saved
        Fraction of the variance that the covariate took away; ``None`` without one.
    """

    metric: str
    group: str
    control: str
    new: Estimate
    old: Estimate
    level: float
    method: Critical
    saved: float | None = None

    def at(self, level: float) -> "Difference":
        """The same difference with the intervals of another level."""
        return replace(self, level=level)

    @property
    def undefined(self) -> str | None:
        """Why there is no interval and no p-value; ``None`` if there are."""
        for name, one in ((self.group, self.new), (self.control, self.old)):
            if one.units < 2:
                return f"{name} has {one.units} unit{'' if one.units == 1 else 's'}; it takes at least 2"
            if np.isnan(one.value):
                return f"the denominator of {name} is 0"
            if not np.isfinite(one.value) or not np.isfinite(one.variance):
                return "the numbers are too large to be squared"
        if not np.isfinite(self._error):
            return "the numbers are too large to be squared"
        active = self.new.active + self.old.active
        if active < FEWEST_ACTIVE:
            return f"only {active} units have a numerator other than 0; it takes at least {FEWEST_ACTIVE}"
        if self._error <= _NO_SPREAD * max(abs(self.new.value), abs(self.old.value)):
            return "all units are alike, so chance cannot be told"
        return None

    @property
    def value(self) -> float | None:
        """The group's value; ``None`` if undefined."""
        return _number(self.new.value)

    @property
    def control_value(self) -> float | None:
        """The control's value; ``None`` if undefined."""
        return _number(self.old.value)

    @property
    def difference(self) -> float | None:
        """``value - control_value``; ``None`` if undefined."""
        return _number(self.new.value - self.old.value)

    @property
    def error(self) -> float | None:
        """Standard error of the difference."""
        return None if self.undefined else self._error

    @property
    def freedom(self) -> float:
        """Degrees of freedom of the error; 0 if undefined. Welch 1947, Satterthwaite 1946."""
        if self.undefined:
            return 0.0
        whole = self.new.variance + self.old.variance
        return 1 / sum((one.variance / whole) ** 2 / (one.units - 1) for one in (self.new, self.old))

    @property
    def precision(self) -> float:
        """The control's value divided by the error, so that its inverse is the relative error; 0 if undefined."""
        return 0.0 if self.undefined else abs(self.old.value) / self._error

    @property
    def p(self) -> float | None:
        """Lowest level at which the interval excludes 0, before any correction."""
        if self.undefined:
            return None
        return self.method.p_value((self.new.value - self.old.value) / self._error, self.freedom, self.precision)

    @property
    def bound(self) -> float | None:
        """Half-width of the interval in standard errors; infinite if it is all numbers."""
        return None if self.undefined else self.method.bound(self.level, self.freedom, self.precision)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Ends of the interval of the difference."""
        if self.bound is None:
            return None
        middle, reach = self.new.value - self.old.value, self.bound * self._error
        return middle - reach, middle + reach

    @property
    def relative(self) -> float | None:
        """``value / control_value - 1``; ``None`` unless the control's value is above 0."""
        return _number(self.new.value / self.old.value - 1) if self.old.value > 0 else None

    @property
    def relative_interval(self) -> tuple[float, float] | None:
        """Ends of the interval of the relative difference, which excludes 0 if and only if ``interval`` does.

        ``None`` if that of the control's value does not exclude 0, so that any ratio is possible. Fieller 1954.
        """
        if self.bound is None or self.relative is None:
            return None
        ratio = np.float64(self.relative + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            # Roots of (new - x old)^2 = bound^2 (variance of new + x^2 variance of old), divided by old^2.
            h, g = (np.square(self.bound * np.sqrt(one.variance) / self.old.value) for one in (self.new, self.old))
            inside = ratio**2 - (1 - g) * (ratio**2 - h)
            if not g < 1 or not np.isfinite(inside):
                return None
            root = np.sqrt(max(inside, 0.0))
            return float((ratio - root) / (1 - g) - 1), float((ratio + root) / (1 - g) - 1)

    def side_of(self, relative: float) -> int:
        """1 if the interval of the relative difference is above a number, -1 if it is below, and 0 otherwise.

        ``(value - (1 + relative) control_value)`` is compared with ``bound`` of its own errors, as Fieller 1954 does.
        This also tells what a ratio without an ``interval`` is not, as when the control hardly has any events.
        """
        if self.bound is None or self.old.value < 0:
            return 0
        ratio = 1 + relative
        with np.errstate(over="ignore"):
            reach = self.bound * np.hypot(np.sqrt(self.new.variance), ratio * np.sqrt(self.old.variance))
        beyond = self.new.value - ratio * self.old.value
        return int(beyond > reach) - int(beyond < -reach)

    @property
    def _error(self) -> float:
        return float(np.sqrt(self.new.variance + self.old.variance))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; what is undefined or infinite is ``None``."""
        low, high = self.interval or (None, None)
        relative_low, relative_high = self.relative_interval or (None, None)
        numbers = {
            "value": self.value,
            "control_value": self.control_value,
            "difference": self.difference,
            "error": self.error,
            "low": low,
            "high": high,
            "relative": self.relative,
            "relative_low": relative_low,
            "relative_high": relative_high,
            "p": self.p,
            "saved": self.saved,
        }
        return {
            "metric": self.metric,
            "group": self.group,
            "control": self.control,
            "units": self.new.units,
            "control_units": self.old.units,
            "method": self.method.name,
            "level": self.level,
            **{name: None if value is None else _number(value) for name, value in numbers.items()},
            "undefined": self.undefined,
        }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
