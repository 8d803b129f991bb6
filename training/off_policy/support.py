"""Whether the logging policy has done enough of what a policy does, so that the log can tell its value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.off_policy.estimate import Estimate
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.options import EvaluationOptions
from training.off_policy.sample import Sample


@dataclass(frozen=True)
class Support:
    """Shares of a policy that the logging policy never does.

    Attributes
    ----------
    outside
        Share of its lists.
    outside_at
        Share of what it shows at each place.
    """

    outside: float
    outside_at: Sequence[float]


def support_of(sample: Sample) -> Support:
    """Measure the support of a sample."""
    count = np.maximum(sample.has.sum(axis=0), 1)
    at = np.where(sample.has, sample.outside_at, 0.0).sum(axis=0) / count
    return Support(float(sample.outside.mean()), [float(share) for share in at])


def reasons(estimate: Estimate, support: Support, options: EvaluationOptions) -> list[str]:
    """Why an estimate cannot be trusted, one sentence each; empty if it can."""
    found = []
    by_place = ESTIMATORS[estimate.estimator].weighting == "place"
    outside = max(support.outside_at) if by_place else support.outside
    if outside > options.most_outside:
        what = "of what it shows at some place is never shown there" if by_place else "of its lists are never shown"
        found.append(
            f"{outside:.1%} {what} by the logging policy, more than {options.most_outside:.1%}: log requests that "
            "explore further (max_move, first), or evaluate a policy that is closer to it"
        )
    if estimate.least_effective < options.least_effective:
        found.append(
            f"the effective sample size is {estimate.least_effective:,.0f} requests, less than "
            f"{options.least_effective:,.0f}: log more requests, or explore more evenly, or evaluate a policy that is "
            "closer to the logging policy"
        )
    return found


def doubts(judged: str, estimates: Mapping[str, Estimate], against: Mapping[str, Sequence[str]]) -> list[str]:
    """What speaks against the judged estimate, one sentence each."""
    own = estimates[judged]
    found = []
    for name, other in estimates.items():
        apart = own.gain.high < other.gain.low or other.gain.high < own.gain.low
        if apart and not against[name] and ESTIMATORS[name].weighting != ESTIMATORS[judged].weighting:
            found.append(
                f"{name} gives another gain, {other.gain.value:+.5g} [{other.gain.low:+.5g}, {other.gain.high:+.5g}]: "
                "what users do may not be as the judged estimator assumes"
            )
    if own.clipped > 0:
        found.append(
            f"weights are clipped: {own.clipped:.1%} of their sum is left out, with {own.clipped_reward:.5g} of the "
            "mean reward, so that the value is biased towards that of the logging policy"
        )
    return found
