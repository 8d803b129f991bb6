"""Measures parameter sets by what they would have earned on logged requests: the off-policy value as an objective."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ranker.fusion import Plan
from training.fusion_search.evaluator import stepped
from training.fusion_search.measurer import Floats, Statistics
from training.fusion_search.objective import Constraint, Goal
from training.fusion_search.space import Sets
from training.off_policy.estimate import Estimate, estimate, resampled
from training.off_policy.estimators import ESTIMATORS
from training.off_policy.logged import Logged, Orders
from training.off_policy.options import EvaluationOptions
from training.off_policy.policies import orders_of
from training.off_policy.sample import Sample, compared
from training.off_policy.support import support_of

SUPPORT = "support"


@dataclass(frozen=True)
class PolicyTerm:
    """A term of the objective, which has no ranking metric."""

    name: str
    title: str


class Requests(NamedTuple):
    """Logged requests with the orders of the policy that ranked them."""

    logged: Logged
    logging: Orders

    def halves(self, held_out: float, seed: int) -> "tuple[Requests, Requests]":
        """Requests to search on, and those of a held-out fraction of the users; with users numbered from 0."""
        users = int(self.logged.units.max(initial=-1)) + 1
        held = np.zeros(users, dtype=bool)
        held[np.random.default_rng(seed).permutation(users)[: round(held_out * users)]] = True
        return self._taken(~held[self.logged.units]), self._taken(held[self.logged.units])

    def _taken(self, requests: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> "Requests":
        part = self.logged.taken(requests)
        units = np.unique(part.units, return_inverse=True)[1].astype(np.intp)
        return Requests(replace(part, units=units), self.logging.taken(requests, requests[self.logged.codes]))


def policy_goal(reward: str) -> Goal[PolicyTerm]:
    """Maximise the off-policy value of a reward, among parameters that the log can tell about."""
    value = PolicyTerm(f"off_policy({reward})", f"off-policy value of {reward}")
    return Goal((1.0,), (value,), (Constraint(PolicyTerm(SUPPORT, "support"), 0.0, relative=False),))


class PolicyEvaluator:
    """Measures the off-policy value of parameter sets, and their support: below 0 if the log cannot tell the value.

    Parameters
    ----------
    plan
        The fusion whose parameters the sets replace, with its exploration.
    requests
        Logged requests.
    options
        Estimator and bounds.
    pessimistic
        Measure the lower end of the interval instead: what was observed, and the least gain.
    """

    def __init__(
        self, plan: Plan, requests: Requests, options: EvaluationOptions, *, pessimistic: bool = False
    ) -> None:
        self.plan, self.requests, self.options, self.pessimistic = plan, requests, options, pessimistic
        self._judged = options.judged(with_model=requests.logged.model is not None)

    @property
    def row_count(self) -> int:
        """Number of requests."""
        return len(self.requests.logged)

    @property
    def group_count(self) -> int:
        """Number of users."""
        return int(self.requests.logged.units.max(initial=-1)) + 1

    def __call__(self, sets: Sets) -> Floats:
        """Value and support [P, 2] of P parameter sets."""
        count = len(next(iter(sets.values())))
        parts = ({name: values[p : p + 1] for name, values in sets.items()} for p in range(count))
        return np.array([self._measured(self._sample(part)) for part in parts])

    def baseline(self) -> Floats:
        """Value and support [2] of the plan itself."""
        return np.asarray(self({name: values[None] for name, values in self.plan.fusion.arrays.items()})[0])

    def statistics(self, one: Sets) -> Statistics:
        """One set's value as a function of user counts; its support does not vary."""
        sample = self._sample(one)
        value: Callable[[Floats], float] = resampled(sample, self._judged, clip=self.options.clip)
        support = self._support(sample, self._estimate(sample))
        return lambda counts: np.array([value(counts), support])

    def _sample(self, one: Sets) -> Sample:
        formula = self.plan.fusion
        given = {
            parameter.name: dict(zip(formula.objectives, one[parameter.name][0].tolist(), strict=True))
            if parameter.per_objective
            else one[parameter.name][0].item()
            for parameter in formula.formula.parameters
        }
        plan, (logged, logging) = stepped(self.plan, one).replaced(given), self.requests
        orders = orders_of("searched", plan, logged, logged.scores, logging.base)
        options = self.options
        return compared(logged, logging, orders, places=options.places, draws=options.draws, seed=options.seed)

    def _estimate(self, sample: Sample) -> Estimate:
        return estimate(sample, self._judged, clip=self.options.clip, level=self.options.level)

    def _measured(self, sample: Sample) -> tuple[float, float]:
        found = self._estimate(sample)
        value = found.value.value
        if self.pessimistic:
            value = value - found.gain.value + found.gain.low
        return value, self._support(sample, found)

    def _support(self, sample: Sample, found: Estimate) -> float:
        """How far both bounds of support are kept: at least 0 if they are."""
        support = support_of(sample)
        by_place = ESTIMATORS[self._judged].weighting == "place"
        outside = max(support.outside_at) if by_place else support.outside
        effective = found.least_effective / max(self.options.least_effective, 1.0) - 1.0
        return min(self.options.most_outside - outside, min(effective, 1.0))
