"""Sums by unit for tests of experiments."""

import numpy as np

from training.experiments.unit_sums import RatioSums, UnitSums

NAMES = ("control", "bold")


def mean_of(*values):
    """Units of groups with these values [U] each, and the metric ``m``: their mean."""
    numbers = np.concatenate([np.asarray(part, dtype=np.float64) for part in values])
    return units_of([len(part) for part in values], RatioSums(numbers, np.ones(len(numbers))))


def units_of(sizes, sums):
    """Groups of these sizes one after the other, and the metric ``m``."""
    names = [*NAMES, *(f"g{i}" for i in range(2, len(sizes)))]
    return UnitSums(names[: len(sizes)], np.repeat(np.arange(len(sizes)), sizes), {"m": sums})


def visits(seed, units=400, groups=2, lift=0.0, like_before=0.0):
    """Clicks a request of users who differ in number of requests and rate; ``lift`` is of all but the first group.

    ``like_before``: how much the rate of the time before is that of now; 0: no covariate.
    """
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), units)
    rate = rng.beta(2, 4, groups * units)
    requests = 1.0 + rng.poisson(np.exp(rng.normal(1, 0.7, groups * units)))
    clicks = rng.binomial(requests.astype(int), np.clip(rate * (1 + lift * (group > 0)), 0, 1)).astype(float)
    before = None
    if like_before:
        earlier = 1.0 + rng.poisson(4, groups * units)
        old = like_before * rate + (1 - like_before) * rng.beta(2, 4, groups * units)
        before = (rng.binomial(earlier.astype(int), old).astype(float), earlier)
    return units_of([units] * groups, RatioSums(clicks, requests, before))
