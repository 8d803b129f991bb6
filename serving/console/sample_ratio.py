"""Sample ratio mismatch: whether requests by group are in the proportions that the experiment asks for.

Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online controlled experiments".
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

FEWEST = 5.0
"""Fewest expected requests of a group; with fewer, the statistic is not distributed as chi-squared."""
ALARM = 0.001
"""Probability below which the proportions are called wrong."""


class SampleRatio(NamedTuple):
    """Pearson's test of counts against shares."""

    expected: dict[str, float]
    """Expected count by group."""
    statistic: float | None
    """Pearson's statistic; ``None`` if there is nothing to test, or too little."""
    p_value: float | None
    mismatch: bool


def sample_ratio(counts: Mapping[str, float], shares: Mapping[str, float]) -> SampleRatio:
    """Test the counts of groups against their shares of the traffic; a group of share 0 that has requests mismatches.

    Requests of one user are all in one group, so requests vary more than independent ones: a small p-value is a reason
    to count users (``ranker-train experiment``), not a verdict.
    """
    total = sum(counts.get(group, 0.0) for group in shares)
    whole = sum(shares.values())
    expected = {group: total * share / whole for group, share in shares.items()}
    stray = any(counts.get(group, 0.0) > 0 for group, share in shares.items() if share == 0)
    tested = [group for group, share in shares.items() if share > 0]
    if len(tested) < 2 or min(expected[group] for group in tested) < FEWEST:
        return SampleRatio(expected, None, None, stray)
    statistic = sum((counts.get(group, 0.0) - expected[group]) ** 2 / expected[group] for group in tested)
    p_value = survival(statistic, len(tested) - 1)
    return SampleRatio(expected, statistic, p_value, stray or p_value < ALARM)


def survival(statistic: float, freedom: int) -> float:
    """Probability that a chi-squared variable of ``freedom`` degrees exceeds ``statistic``.

    By the recurrence ``Q(a + 1, x) = Q(a, x) + x**a exp(-x) / Gamma(a + 1)`` of the regularised incomplete gamma
    function (DLMF 8.8.6), from ``Q(1/2, x) = erfc(sqrt(x))`` or ``Q(1, x) = exp(-x)``.
    """
    x = statistic / 2
    if x <= 0:
        return 1.0
    a, tail = (0.5, math.erfc(math.sqrt(x))) if freedom % 2 else (1.0, math.exp(-x))
    while a < freedom / 2:
        tail += math.exp(a * math.log(x) - x - math.lgamma(a + 1))
        a += 1
    return min(tail, 1.0)
