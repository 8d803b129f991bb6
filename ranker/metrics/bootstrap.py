"""Bootstrap intervals: how much a metric varies between samples of the same traffic."""

from collections.abc import Mapping

import numpy as np

from ranker.metrics.checks import Statistic

Interval = tuple[float, float]
"""Lower and upper end; both NaN if undefined."""


def bootstrap_intervals(
    statistics: Mapping[str, Statistic], units: int, resamples: int, seed: int, level: float = 0.95
) -> dict[str, Interval]:
    """Percentile intervals of several metrics of the same data. Efron & Tibshirani 1993, chapter 13.

    A resample draws ``units`` units with replacement and is passed to each statistic as a count per unit, so that a
    metric needs to sort rows only once. All statistics use the same resamples.

    Resamples where a statistic is NaN, such as an AUC without positives, are left out of its interval; if they are more
    than half, the interval is NaN.

    Parameters
    ----------
    statistics
        Name -> metric as a function of counts [units].
    units
        Number of rows or groups; if 0, intervals are NaN.
    resamples
        Number of resamples; if 0, intervals are NaN. 200 give a rough 95% interval, 1000 a good one.
    seed
        Equal seeds give equal intervals.
    level
        Coverage of the interval, in (0, 1).

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
        # Equivalent to a multinomial draw, but much faster.
        counts = np.bincount(rng.integers(0, units, units), minlength=units).astype(np.float64)
        values[:, resample] = [statistic(counts) for statistic in statistics.values()]
    tails = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name, row in zip(statistics, values, strict=True):
        defined = row[~np.isnan(row)]
        low, high = np.quantile(defined, tails) if len(defined) * 2 > len(row) else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return intervals
