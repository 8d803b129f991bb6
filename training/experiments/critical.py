"""How far an estimate may be from the truth, in standard errors: at a fixed time, or at all times at once."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

LEAST_TAIL = 1e-300
"""Smallest probability of a tail that is told apart from 0: SciPy has no quantiles further out."""


class Critical(Protocol):
    """A family of intervals ``estimate +- bound * error`` by level, and the p-value that agrees with them.

    ``precision`` is the control's value divided by the error of the difference: how precisely a relative effect is
    known.
    """

    name: ClassVar[str]

    def bound(self, level: float, freedom: float, precision: float) -> float:
        """Half-width of the interval that misses with probability ``level``, in standard errors."""
        ...

    def p_value(self, ratio: float, freedom: float, precision: float) -> float:
        """Lowest level whose interval excludes 0, of an estimate that is ``ratio`` standard errors from 0."""
        ...


@dataclass(frozen=True)
class Fixed:
    """Student's interval, valid at one time that was chosen in advance. Welch 1947."""

    name: ClassVar[str] = "fixed"

    def bound(self, level: float, freedom: float, precision: float) -> float:
        """Quantile of Student's distribution."""
        del precision
        return -float(stdtrit(freedom, level / 2))

    def p_value(self, ratio: float, freedom: float, precision: float) -> float:
        """Two-sided p-value of Welch's test."""
        del precision
        return 2 * float(stdtr(freedom, -abs(ratio)))


@dataclass(frozen=True)
class Sequential:
    """Intervals that hold at all times at once, however often and for whatever reason one looks.

    The mixture sequential probability ratio test of Robbins 1970 and Johari, Koomen, Pekelis & Walsh 2022: the
    likelihood ratio of an effect drawn from N(0, tau^2) against none, which exceeds ``1 / level`` with a probability of
    at most ``level`` whenever one stops. With ``r = tau^2 / error^2``, an estimate of ``z`` errors has the ratio
    ``exp(z^2 r / (2 (1 + r))) / sqrt(1 + r)``. It is also the asymptotic confidence sequence of Waudby-Smith, Arbour,
    Sinha, Kennedy & Ramdas 2024, with their ``n rho^2`` as ``r``. Time is counted in information, ``1 / error^2``, and
    not in units, since a unit that comes back adds to sums that are there already (Scharfstein, Tsiatis & Robins 1997).
    Student's tails replace the normal ones, equally far out, so that few units do not raise alarms.

    Attributes
    ----------
    effect
        The relative effect that it should find soonest: ``tau = effect * control's value``. To be chosen before the
        first look. Any one is valid; intervals are narrowest when the fixed test has a power of about 80 % for it.
    """

    effect: float = 0.01
    name: ClassVar[str] = "sequential"

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for an effect that is not above 0."""
        if not 0 < self.effect < np.inf:
            raise ValueError(f"effect must be above 0, got {self.effect:g}")

    def bound(self, level: float, freedom: float, precision: float) -> float:
        """Half-width; infinite while too little is known of the relative effect."""
        r = (self.effect * precision) ** 2
        tail = float(ndtr(-np.sqrt((1 + r) / r * (np.log1p(r) - 2 * np.log(level))))) if r > 0 else 0.0
        quantile = float(stdtrit(freedom, tail)) if tail >= LEAST_TAIL else -np.inf
        return -quantile if quantile < 0 else np.inf

    def p_value(self, ratio: float, freedom: float, precision: float) -> float:
        """Inverse of the likelihood ratio, at most 1."""
        r = (self.effect * precision) ** 2
        normal = float(ndtri(max(float(stdtr(freedom, -abs(ratio))), LEAST_TAIL)))
        return float(min(1.0, np.exp(0.5 * np.log1p(r) - normal**2 * r / (2 * (1 + r)))))


FIXED = Fixed()
