"""A paired bootstrap: both versions' measures on the same resampled groups of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ranker.metrics.checks import Floats, Statistic

Better = Literal["more", "less"] | None


class Paired(NamedTuple):
    """A measure of both versions as functions of weights [K] of the same rows, lists or groups."""

    name: str
    better: Better
    new: Statistic
    old: Statistic


class Family(NamedTuple):
    """Measures over the same K rows, lists or groups.

    Attributes
    ----------
    units
        For each of them, the unit that is resampled [K].
    measures
        The measures.
    """

    units: NDArray[np.intp]
    measures: Sequence[Paired]


@dataclass(frozen=True, eq=False)
class Drawn:
    """A measure of both versions.

    Attributes
    ----------
    name, better
        Its name and direction; ``None``: a ratio that is best at 1.
    new, old
        Values on all rows; NaN if undefined.
    new_drawn, old_drawn
        Values in B resamples [B].
    units
        Number of units that were resampled and have a part in it.
    """

    name: str
    better: Better
    new: float
    old: float
    new_drawn: Floats
    old_drawn: Floats
    units: int


class Estimate(NamedTuple):
    """A quantity, its standard error, and degrees of freedom; NaN if undefined."""

    value: float
    error: float
    freedom: int

    def ends(self, tail: float) -> tuple[float, float]:
        """Ends of the interval that leaves the probability ``tail`` on each side."""
        if self.freedom < 1:
            return float("nan"), float("nan")
        reach = float(stdtrit(self.freedom, 1.0 - tail)) * self.error
        return self.value - reach, self.value + reach


def unheard(done: int) -> None:
    """Report nothing."""
    del done


def resampled(
    families: Sequence[Family],
    units: int,
    resamples: int,
    seed: int,
    progress: Callable[[int], None] = unheard,
) -> list[list[Drawn]]:
    """Measure on all rows and on resamples of ``units`` units; one list of measures per family.

    A resample draws ``units`` units with replacement. All measures of all families see the same ones, so that what both
    versions owe to the rows cancels in a difference. Efron & Tibshirani 1993, chapter 8.

    Parameters
    ----------
    families
        Measures as functions of weights.
    units
        Number of groups, or of rows without groups.
    resamples
        Number of resamples B.
    seed
        Equal seeds draw equal resamples.
    progress
        Called after each resample with their number so far.
    """
    rng = np.random.default_rng(seed)
    values = [np.full((2, len(family.measures), resamples + 1), np.nan) for family in families]
    for draw in range(resamples + 1):
        drawn = rng.integers(0, units, units) if draw else np.arange(units)  # first, all rows once
        counts = np.bincount(drawn, minlength=units).astype(np.float64)
        for family, found in zip(families, values, strict=True):
            weights = counts[family.units]
            for i, measure in enumerate(family.measures):
                found[:, i, draw] = measure.new(weights), measure.old(weights)
        progress(draw)
    return [
        [
            Drawn(one.name, one.better, float(new[0]), float(old[0]), new[1:], old[1:], len(np.unique(family.units)))
            for one, new, old in zip(family.measures, found[0], found[1], strict=True)
        ]
        for family, found in zip(families, values, strict=True)
    ]


def gain(drawn: Drawn) -> Estimate:
    """How much better the new version is: in the better direction, or nearer to 1 for a ratio that is best there."""

    def better(new: Floats, old: Floats) -> Floats:
        if drawn.better is None:
            return np.abs(old - 1.0) - np.abs(new - 1.0)
        return new - old if drawn.better == "more" else old - new

    return _estimate(drawn, better)


def log_ratio(drawn: Drawn) -> Estimate:
    """Logarithm of new / old; undefined unless both are above 0."""
    return _estimate(drawn, lambda new, old: np.log(_positive(new)) - np.log(_positive(old)))


def new_value(drawn: Drawn) -> Estimate:
    """The new version's value."""
    return _estimate(drawn, lambda new, _: new)


def old_value(drawn: Drawn) -> Estimate:
    """The old version's value."""
    return _estimate(drawn, lambda _, old: old)


def _positive(values: Floats) -> Floats:
    return np.where(values > 0, values, np.nan)


def _estimate(drawn: Drawn, quantity: Callable[[Floats, Floats], Floats]) -> Estimate:
    """A quantity with the standard deviation of its resamples as the error.

    Resamples in which it is undefined are left out, and if they are more than half, it is undefined. The interval is
    Student's with at most units - 1 and resamples - 1 degrees of freedom: percentiles as far out as several bounds need
    would take tens of thousands of resamples.
    """
    value = float(quantity(np.array([drawn.new]), np.array([drawn.old]))[0])
    found = quantity(drawn.new_drawn, drawn.old_drawn)
    found = found[np.isfinite(found)]
    freedom = min(drawn.units, len(found)) - 1
    if not np.isfinite(value) or freedom < 1 or len(found) * 2 <= len(drawn.new_drawn):
        return Estimate(float("nan"), float("nan"), 0)
    return Estimate(value, float(found.std(ddof=1)), freedom)
