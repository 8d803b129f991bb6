"""How far a metric would move on another sample of the same traffic."""

from collections.abc import Mapping

import numpy as np

from ranker.metrics.checks import Statistic

Interval = tuple[float, float]
"""Low and high end; both NaN where there is no interval to give."""


def bootstrap_intervals(
    statistics: Mapping[str, Statistic], units: int, resamples: int, seed: int, level: float = 0.95
) -> dict[str, Interval]:
    """Percentile intervals of several metrics of the same data. Efron & Tibshirani 1993, chapter 13.

    A resample draws ``units`` of the units with replacement and is handed to each statistic as a count per unit, so
    that a metric that needs sorted rows sorts them once in all. All statistics see the same resamples.

    Resamples on which a statistic is NaN, such as an AUC where no positive was drawn, are left out of its interval;
    where they are more than half, the interval is NaN.

    Parameters
    ----------
    statistics
        Name -> metric as a function of counts [units].
    units
        How many rows, or groups, there are; for 0 intervals are NaN.
    resamples
        How many resamples to draw; for 0 intervals are NaN. 200 place a 95% interval roughly, 1000 well.
    seed
        Equal seeds give equal intervals.
    level
        Share of the resampled values that the interval spans, in (0, 1).

    Raises
    ------
    ValueError
        For a negative ``resamples`` and a ``level`` outside (0, 1).
    """
    if resamples < 0:
        raise ValueError(f"resamples must be >= 0, got {resamples}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    rng = np.random.default_rng(seed)
    values = np.full((len(statistics), resamples if units else 0), np.nan)
    for resample in range(values.shape[1]):
        # Counting drawn units is a multinomial draw, and much faster than asking for one.
        counts = np.bincount(rng.integers(0, units, units), minlength=units).astype(np.float64)
        values[:, resample] = [statistic(counts) for statistic in statistics.values()]
    tails = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name, row in zip(statistics, values, strict=True):
        defined = row[~np.isnan(row)]
        low, high = np.quantile(defined, tails) if len(defined) * 2 > len(row) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return intervals
