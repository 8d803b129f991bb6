"""Differences of groups to a control: ratios of sums by unit, with intervals.

A metric of a group is a ratio ``R = sum N / sum D`` over its units. Units are independent, what one unit does is not:
the variance of R is that of ``z_i = (N_i - R D_i) / mean(D)`` over the units, divided by their number (delta method;
Deng, Knoblich & Lu 2018). With denominators of 1 it is the variance of the mean.

With a covariate ``X`` of the time before, whose ratio has ``x_i`` alike, ``R - theta (X - X_all)`` has the same
expectation in all groups that are drawn at random, and with ``theta = sum z x / sum x^2`` within groups the smallest
variance (CUPED; Deng, Xu, Kohavi & Walker 2013).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from training.experiments.critical import FIXED, Critical
from training.experiments.difference import Difference, Estimate
from training.experiments.unit_sums import Floats, RatioSums, UnitSums


def compare(
    units: UnitSums, metric: str, control: str, level: float = 0.05, method: Critical = FIXED
) -> list[Difference]:
    """Difference of each group to the control, in the order of the groups.

    Parameters
    ----------
    units
        Sums by unit.
    metric
        Name of the metric in ``units``.
    control
        Name of the group that the others are compared with.
    level
        Probability with which an interval misses, of one comparison; see ``corrections`` for several.
    method
        ``FIXED``: intervals for one look, at a time that was chosen in advance. ``Sequential(effect)``: intervals that
        hold whenever one looks.

    Raises
    ------
    ValueError
        For an unknown metric or group, or a level that is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> clicks, requests = np.array([1.0, 2, 0, 3] * 6), np.array([2.0, 2, 1, 4] * 6)
    >>> sums = RatioSums(clicks + np.repeat([0, 1], 12), requests)
    >>> units = UnitSums(["control", "bold"], np.repeat([0, 1], 12), {"ctr": sums})
    >>> [found] = compare(units, "ctr", control="control")
    >>> found.group, round(found.difference, 3), [round(end, 3) for end in found.interval]
    ('bold', 0.444, [0.249, 0.64])
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level:g}")
    if metric not in units.metrics:
        raise ValueError(f"no metric {metric!r}; there are {', '.join(units.metrics) or 'none'}")
    base = units.index(control)
    found, plain = estimates(units, metric)
    has_covariate = units.metrics[metric].before is not None
    return [
        Difference(metric, name, control, found[i], found[base], level, method, saved if has_covariate else None)
        for i, name in enumerate(units.groups)
        if i != base
        for saved in [_saved((plain[i], plain[base]), (found[i], found[base]))]
    ]


def estimates(units: UnitSums, metric: str) -> tuple[list[Estimate], list[Estimate]]:
    """Estimates of a metric by group: adjusted by the covariate, if there is one, and not adjusted."""
    sums = units.metrics[metric]
    members = [np.flatnonzero(units.group == i) for i in range(len(units.groups))]
    with np.errstate(over="ignore", invalid="ignore"):
        own = [_linear(sums.numerator[rows], sums.denominator[rows]) for rows in members]
        plain = [_estimate(one, sums.numerator[rows]) for one, rows in zip(own, members, strict=True)]
        if sums.before is None:
            return plain, plain
        return _adjusted(sums, members, own, plain), plain


class _Linear(NamedTuple):
    """A ratio, and what each unit adds to it [U]: the mean is 0."""

    ratio: float
    parts: Floats


def _linear(numerator: Floats, denominator: Floats) -> _Linear:
    total = float(denominator.sum())
    if not total > 0:
        return _Linear(float("nan"), np.zeros(len(numerator)))
    # Scaled first, since squares of large sums are not finite.
    ratio = float(numerator.sum()) / total
    return _Linear(ratio, (numerator - ratio * denominator) * (len(denominator) / total))


def _estimate(own: _Linear, numerator: Floats, value: float | None = None) -> Estimate:
    count, active = len(own.parts), int(np.count_nonzero(numerator))
    variance = float(own.parts.var(ddof=1)) / count if count > 1 else float("nan")
    return Estimate(own.ratio if value is None else value, variance, count, active)


def _adjusted(
    sums: RatioSums, members: Sequence[Any], own: Sequence[_Linear], plain: Sequence[Estimate]
) -> list[Estimate]:
    assert sums.before is not None
    above, below = sums.before
    earlier = [_linear(above[rows], below[rows]) for rows in members]
    whole = _linear(above, below).ratio
    squares = sum(float((x.parts**2).sum()) for x in earlier)
    theta = sum(float((z.parts * x.parts).sum()) for z, x in zip(own, earlier, strict=True)) / squares if squares else 0
    if not np.isfinite(theta):
        return list(plain)
    found = []
    for z, x, rows in zip(own, earlier, members, strict=True):
        shift = theta * (x.ratio - whole) if np.isfinite(x.ratio) else 0.0
        found.append(_estimate(_Linear(z.ratio - shift, z.parts - theta * x.parts), sums.numerator[rows]))
    return found


def _saved(plain: Sequence[Estimate], adjusted: Sequence[Estimate]) -> float | None:
    before, after = (sum(one.variance for one in estimates) for estimates in (plain, adjusted))
    return 1 - after / before if before > 0 else None
