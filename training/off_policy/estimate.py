"""Values with intervals: sums of an estimator over requests, and their errors by user."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from training.off_policy.estimators import ESTIMATORS, Estimator
from training.off_policy.logged import Floats, Indices
from training.off_policy.sample import Sample


@dataclass(frozen=True)
class Interval:
    """A value, its standard error over users, and the ends of its interval."""

    value: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """A policy's value by one estimator.

    Attributes
    ----------
    estimator
        Its name.
    value
        Mean reward of a request.
    gain
        The same, less what was observed: both on the same requests.
    by_place
        Mean reward of a request at each place.
    effective
        Effective sample size by place: ``(sum w)^2 / sum w^2`` over the requests that have it. Kish 1965.
    largest
        The largest weight, before clipping.
    mean_weight
        Mean weight by place, before clipping: 1 on average if the logging policy draws all that the target draws.
    clipped
        Share of the weight that clipping took off.
    clipped_reward
        Mean reward of a request that it took off with the weight: for rewards of at least 0 the value is too low by
        about this much, unless it is self-normalised or doubly robust, which make up for some of it.
    """

    estimator: str
    value: Interval
    gain: Interval
    by_place: Sequence[Interval]
    effective: Sequence[float]
    largest: float
    mean_weight: Sequence[float]
    clipped: float
    clipped_reward: float

    @property
    def least_effective(self) -> float:
        """The smallest effective sample size of a place."""
        return min(self.effective)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)


def estimate(sample: Sample, name: str, *, clip: float | None = None, level: float = 0.95) -> Estimate:
    """Estimate a policy's value by the estimator ``name``; weights above ``clip`` count as that much.

    Intervals are normal, from the variance of sums by user (the delta method for ratios): requests of one user need
    not be independent. Raises ``ValueError`` if the estimator needs a model that the sample lacks.
    """
    estimator: Estimator = ESTIMATORS[name]()
    raw = estimator.weights(sample)
    used = raw if clip is None else np.minimum(raw, clip)
    value, influence = _by_place(estimator, sample, used)
    observed = sample.observed
    has = sample.has
    lost = np.where(has, raw - used, 0.0)
    total = float(raw[has].sum())
    gained = influence.sum(axis=1) - (observed - observed.mean())

    def interval(number: float, influences: Floats) -> Interval:
        return _interval(number, influences, sample.units, level)

    return Estimate(
        estimator=name,
        value=interval(float(value.sum()), influence.sum(axis=1)),
        gain=interval(float(value.sum() - observed.mean()), gained),
        by_place=[interval(float(value[k]), influence[:, k]) for k in range(len(value))],
        effective=_effective(np.where(has, used, 0.0)),
        largest=float(raw[has].max(initial=0.0)),
        mean_weight=[float(raw[has[:, k], k].mean()) if has[:, k].any() else 0.0 for k in range(raw.shape[1])],
        clipped=float(lost.sum()) / total if total > 0 else 0.0,
        clipped_reward=float((lost * sample.rewards).sum() / len(sample)),
    )


def observed(rewards: Floats, units: Indices, level: float = 0.95) -> Interval:
    """Mean reward of a request as logged, from rewards by place [R, K]."""
    totals = rewards.sum(axis=1)
    return _interval(float(totals.mean()), totals - totals.mean(), units, level)


def resampled(sample: Sample, name: str, *, clip: float | None = None) -> Callable[[Floats], float]:
    """The value of ``estimate`` as a function of how often each user counts [U]; once each gives the value itself."""
    estimator: Estimator = ESTIMATORS[name]()
    raw = estimator.weights(sample)
    values, shares = estimator.terms(sample, raw if clip is None else np.minimum(raw, clip))
    users = int(sample.units.max(initial=-1)) + 1

    def by_user(columns: Floats) -> Floats:
        sums = np.zeros((users, columns.shape[1]))
        np.add.at(sums, sample.units, columns)
        return sums

    has = sample.has.astype(np.float64)
    top, below, share = by_user(values), by_user(has if shares is None else shares), by_user(has)
    requests = by_user(np.ones((len(sample), 1)))[:, 0]

    def value(counts: Floats) -> float:
        ratio = counts @ top
        if shares is not None:
            weights = counts @ below
            ratio = np.divide(ratio * (counts @ share), weights, out=np.zeros(len(weights)), where=weights > 0)
        return float(ratio.sum() / (counts @ requests))

    return value


def _by_place(estimator: Estimator, sample: Sample, weights: Floats) -> tuple[Floats, Floats]:
    """Values by place [K], and how each request moves them [R, K], with mean 0."""
    values, shares = estimator.terms(sample, weights)
    top = values.mean(axis=0)
    if shares is None:
        return top, values - top
    # A place's value is that of the requests that have it, times how many these are.
    has = sample.has.astype(np.float64)
    share, below = has.mean(axis=0), shares.mean(axis=0)
    ratio = np.divide(top, below, out=np.zeros(len(top)), where=below > 0)
    scale = np.divide(share, below, out=np.zeros(len(top)), where=below > 0)
    moves = scale * (values - ratio * shares) + ratio * (has - share)
    return ratio * share, moves


def _effective(weights: Floats) -> list[float]:
    squares = (weights**2).sum(axis=0)
    sizes = np.divide(weights.sum(axis=0) ** 2, squares, out=np.zeros(len(squares)), where=squares > 0)
    return [float(size) for size in sizes]


def _interval(value: float, influence: Floats, units: Indices, level: float) -> Interval:
    """The interval of a mean whose requests move it by ``influence`` [R] / R; ends are infinite for a single user."""
    sums = np.bincount(units, influence)
    users = len(np.unique(units))
    error = float("inf")
    if users > 1:
        error = float(np.sqrt((sums**2).sum() * users / (users - 1)) / len(influence))
    margin = NormalDist().inv_cdf((1 + level) / 2) * error
    return Interval(value, error, value - margin, value + margin)
