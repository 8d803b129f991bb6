"""Power: which effects would be found by now, and when one of a given size would be."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from training.experiments.difference import Difference

LONGEST = 3650.0
"""Most days that are told."""
FEWEST_DAYS = 4
"""Fewest days that show how the error falls; with fewer, it is taken to fall with the square root of time."""


@dataclass(frozen=True)
class Outlook:
    """What a comparison can find.

    Attributes
    ----------
    metric, group
        The comparison.
    effect
        A relative effect.
    power
        Probability that the effect would be found by now.
    detectable
        The relative effect that would be found by now with the probability asked for.
    days
        Days since the first request after which ``effect`` is found with that probability; ``None`` if that takes more
        than ten years, as when the same users come back and their error does not fall.
    growth
        Exponent of the squared error, which falls with ``days ** -growth``: 1 for ever new users.
    """

    metric: str
    group: str
    effect: float
    power: float
    detectable: float
    days: float | None
    growth: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def power_of(effect: float, error: float, bound: float) -> float:
    """Probability that an estimate with a standard error is more than ``bound`` errors from 0, of a true effect."""
    shift = effect / error
    return float(ndtr(shift - bound) + ndtr(-shift - bound))


def outlook(
    now: Difference, series: Sequence[tuple[float, Difference]], effect: float, power: float, days: float
) -> Outlook | None:
    """What a comparison can find at its level, after ``days``, given its cumulative differences by time in days.

    ``None`` where there is no interval, or no relative effect.
    """
    if now.bound is None or now.relative is None or not np.isfinite(now.bound) or not now.precision > 0:
        return None
    error = 1 / now.precision
    growth = _growth([(time, one.precision) for time, one in series if one.precision > 0])
    return Outlook(
        metric=now.metric,
        group=now.group,
        effect=effect,
        power=power_of(effect, error, now.bound),
        detectable=(now.bound + float(ndtri(power))) * error,
        days=_days_until(now, effect, power, days, growth),
        growth=growth,
    )


def _growth(series: Sequence[tuple[float, float]]) -> float:
    """Slope of log error^2 on log time, from 0 to 1."""
    known = [(time, precision) for time, precision in series if time > 0]
    if len(known) < FEWEST_DAYS:
        return 1.0
    times, precisions = np.log(np.array(known)).T
    spread = times - times.mean()
    if not (spread**2).sum() > 0:
        return 1.0
    return float(np.clip(2 * (spread * precisions).sum() / (spread**2).sum(), 0.0, 1.0))


def _days_until(now: Difference, effect: float, power: float, days: float, growth: float) -> float | None:
    """Smallest time from now on at which the bound and a margin for the power are below the effect."""

    def found(time: float) -> bool:
        precision = now.precision * (time / days) ** (growth / 2)
        bound = now.method.bound(now.level, now.freedom, precision)
        return bool((bound + ndtri(power)) / precision <= effect)

    if found(days):
        return days
    if growth == 0 or not found(LONGEST):
        return None
    low, high = days, LONGEST
    while high / low > 1.001:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if found(middle) else (middle, high)
    return high
