"""What policies would have earned on logged requests, and whether the log can tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ranker.artifact import Artifact, load
from ranker.log_files.errors import DataError
from training.off_policy.estimate import Estimate, Interval, estimate, observed
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.logged import Logged, Orders
from training.off_policy.options import EvaluationOptions
from training.off_policy.policies import PolicyOptions, orders_of, plan_of
from training.off_policy.prepare import Agreement, logged_features, logged_of, logging_orders, rescored
from training.off_policy.read import Exposures
from training.off_policy.reward import Reward
from training.off_policy.sample import Sample, compared
from training.off_policy.support import Support, doubts, reasons, support_of

LEAST_PROPENSITIES, LEAST_ORDERS = 0.999, 0.99
"""Least shares of requests whose logged propensities and orders are found again."""


@dataclass(frozen=True, eq=False)
class PolicyValue:
    """What the log tells of one policy.

    Attributes
    ----------
    name, fusion
        Its name, and its fusion as answers tell it.
    estimates
        By estimator.
    support
        What of the policy the logging policy never does.
    reasons
        By estimator, why its value cannot be told; empty where it can.
    doubts
        What speaks against trusting the judged value.
    weights
        The judged estimator's largest weight of each request, as a histogram: upper ends and counts.
    """

    name: str
    fusion: Mapping[str, Any]
    estimates: Mapping[str, Estimate]
    support: Support
    reasons: Mapping[str, Sequence[str]]
    doubts: Sequence[str]
    weights: Sequence[tuple[float, int]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            "name": self.name,
            "fusion": dict(self.fusion),
            "estimates": {name: found.to_dict() for name, found in self.estimates.items()},
            "support": asdict(self.support),
            "reasons": {name: list(found) for name, found in self.reasons.items()},
            "doubts": list(self.doubts),
            "weights": [list(one) for one in self.weights],
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What policies would have earned, beside what was observed.

    Attributes
    ----------
    reward, estimator
        The reward, and the estimator whose values are judged.
    requests, users, places
        Numbers of requests and users, and the largest of places.
    left_out
        Number of requests that were left out, by reason.
    observed, observed_by_place
        Mean reward of a request, and at each place.
    agreement
        Whether the logging policy, computed again, does what the log tells.
    policies
        The policies.
    refused
        Reasons why nothing is told, or not of all policies.
    notes
        What readers should know.
    options
        How it was computed.
    """

    reward: str
    estimator: str
    requests: int
    users: int
    places: int
    left_out: Mapping[str, int]
    observed: Interval
    observed_by_place: Sequence[float]
    agreement: Agreement
    policies: Sequence[PolicyValue]
    refused: Sequence[str]
    notes: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> list[str]:
        """One line for each reason against an answer, and for each policy whose gain is below the least one."""
        lines = [*self.refused]
        for policy in self.policies:
            lines += [f"{policy.name}: {reason}" for reason in policy.reasons[self.estimator]]
            least, gain = self.options.get("least"), policy.estimates[self.estimator].gain
            if least is not None and not policy.reasons[self.estimator] and gain.low < least:
                lines.append(f"{policy.name}: the gain may be {gain.low:.5g}, below the least of {least:g}")
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {
            **{name: getattr(self, name) for name in ("reward", "estimator", "requests", "users", "places")},
            "left_out": dict(self.left_out),
            "observed": asdict(self.observed),
            "observed_by_place": list(self.observed_by_place),
            "agreement": self.agreement._asdict() | {"notes": list(self.agreement.notes)},
            "policies": [policy.to_dict() for policy in self.policies],
            "failed": self.failed,
            "notes": list(self.notes),
            "options": dict(self.options),
        }


def evaluate(
    exposures: Exposures,
    artifact: Artifact,
    reward: Reward,
    policies: Sequence[PolicyOptions],
    options: EvaluationOptions,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Estimate what policies would have earned.

    Raises ``ConfigError`` for a policy or estimator that is not possible, and ``DataError`` for a log that cannot be
    used.
    """
    logged = logged_of(exposures, artifact, reward)
    judged = options.judged(with_model=logged.model is not None)
    logging, agreement = logging_orders(exposures, artifact, logged)
    short, notes = truncation(logged, options)
    refused, notes = [*disagreeing(agreement), *short], [*agreement.notes, *notes]
    found = []
    for policy in [] if refused else policies:
        if progress is not None:
            progress(policy.title)
        facts, orders = _target(policy, exposures, artifact, logged, logging)
        sample = compared(logged, logging, orders, places=options.places, draws=options.draws, seed=options.seed)
        found.append(_value(policy.title, facts, sample, judged, options))
    places = min(options.places, int(logged.shown.max()))
    rewards = logged.by_place(logged.rewards, places)
    return Evaluation(
        reward=reward.text,
        estimator=judged,
        requests=len(logged),
        users=len(np.unique(logged.units)),
        places=places,
        left_out=exposures.left_out,
        observed=observed(rewards, logged.units, options.level),
        observed_by_place=[float(mean) for mean in rewards.mean(axis=0)],
        agreement=agreement,
        policies=found,
        refused=refused,
        notes=notes,
        options=options.to_dict(),
    )


def _target(
    policy: PolicyOptions, exposures: Exposures, artifact: Artifact, logged: Logged, logging: Orders
) -> tuple[dict[str, Any], Orders]:
    """The fusion as answers tell it, and how it orders the logged candidates."""
    option = f"--policy {policy.title}"
    scores, own = logged.scores, artifact
    if policy.artifact is not None:
        own = load(policy.artifact)
        scores = rescored(exposures, own)
        logged = logged.with_features(logged_features(exposures, own))
    plan = plan_of(option, policy, own.fusions)
    explore = plan.options.explore
    facts = {
        "name": policy.fusion,
        "formula": plan.fusion.name,
        "parameters": plan.fusion.values,
        "rerank": {name: step.facts for name, step in plan.options.rerank.items()},
        "explore": None if explore is None else explore.facts,
        "artifact": None if policy.artifact is None else str(own.folder),
    }
    return facts, orders_of(policy.title, plan, logged, scores, logging.base)


def _value(name: str, facts: Mapping[str, Any], sample: Sample, judged: str, options: EvaluationOptions) -> PolicyValue:
    usable = [name for name, one in ESTIMATORS.items() if sample.model is not None or not one.needs_model]
    estimates = {name: estimate(sample, name, clip=options.clip, level=options.level) for name in usable}
    support = support_of(sample)
    against = {name: reasons(one, support, options) for name, one in estimates.items()}
    return PolicyValue(
        name=name,
        fusion=facts,
        estimates=estimates,
        support=support,
        reasons=against,
        doubts=doubts(judged, estimates, against),
        weights=_histogram(np.where(sample.has, ESTIMATORS[judged]().weights(sample), 0.0).max(axis=1)),
    )


def _histogram(weights: Any) -> list[tuple[float, int]]:
    """Counts of weights up to each power of two, from 1/16 on."""
    ends = np.array([0.0, *(2.0 ** np.arange(-4, 11))])
    bins = np.minimum(np.searchsorted(ends, weights), len(ends))
    counts = np.bincount(bins, minlength=len(ends) + 1)
    return [(float(end), int(count)) for end, count in zip([*ends, np.inf], counts, strict=True)][
        : int(bins.max(initial=0)) + 1
    ]


def truncation(logged: Logged, options: EvaluationOptions) -> tuple[list[str], list[str]]:
    """Reasons against an answer, and notes, where not all candidates are logged."""
    truncated = int(logged.truncated.sum())
    if not truncated:
        return [], []
    text = (
        f"{truncated:,} of {len(logged):,} requests have candidates that are not logged, which other policies could "
        "have shown"
    )
    if options.within_logged:
        return [], [f"{text}: values are of policies that rank the logged candidates alone"]
    help_ = "evaluate policies that rank the logged candidates alone"
    return [
        f"{text}: set the service's exposures_depth to the number of candidates, or give --within-logged to {help_}"
    ], []


def disagreeing(agreement: Agreement) -> list[str]:
    """Reasons not to trust the log."""
    found = []
    if agreement.propensities < LEAST_PROPENSITIES:
        found.append(
            f"only {agreement.propensities:.2%} of requests have the propensities that their exploration gives them: "
            "the log is of another version of ranker, was ranked in two stages, or was changed"
        )
    if agreement.orders is not None and agreement.orders < LEAST_ORDERS:
        found.append(
            f"only {agreement.orders:.2%} of requests have the order that their fusion gives the logged scores: the "
            "log is of another artifact or was changed"
        )
    return found


def require_policies(policies: Sequence[PolicyOptions]) -> None:
    """Raise ``DataError`` for two policies of the same name."""
    names = [policy.title for policy in policies]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"--policy: two policies are named {name!r}; give one of them another name")
