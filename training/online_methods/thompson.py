"""Thompson sampling over parameter sets: shares follow the probabilities of being the best."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from training.online_methods.base import (
    ONLINE_METHODS,
    Judged,
    MethodOptions,
    OnlineMethod,
    Points,
    Proposal,
    equal_shares,
    gaussian,
)

DRAWS = 20_000
"""Draws from the posterior behind each probability; their standard error is at most 0.0036."""


@ONLINE_METHODS.register("thompson")
class Thompson(OnlineMethod):
    """A bandit whose arms are sets drawn once around the parameters of today. Thompson 1933; Scott 2010.

    After each round a set's share is ``floor`` plus its part of the rest, in proportion to the posterior probability
    that it is the best. Gains have normal errors and a normal prior around 0, whose variance is that of the gains
    beyond their noise (empirical Bayes): many sets and much noise pull the gains towards 0.
    """

    class Options(MethodOptions):
        """Options of the bandit."""

        name: Literal["thompson"] = "thompson"
        deviation: float = Field(
            0.25, gt=0, le=1, description="Standard deviation of the sets around today, in widths of the range."
        )
        floor: float = Field(
            0.05,
            gt=0,
            le=0.5,
            description="Least share of a set, of the users that control leaves; at most half of an equal share.",
        )
        converged: float = Field(
            0.95, gt=0.5, lt=1, description="Converged once one set is the best with this probability."
        )

    options: Options
    keeps_units: ClassVar[bool] = True

    def propose(self, rounds: Sequence[Judged], random: np.random.Generator) -> Proposal:
        """The sets of the first round, with the shares that they have earned."""
        deviation = np.full(self.dimensions, self.options.deviation)
        if not rounds:
            points = gaussian(self.start, deviation, self.options.sets, random)
            return Proposal(points, equal_shares(len(points)), self.start, deviation)
        last = rounds[-1]
        served = ~last.stopped
        floor = np.where(served, min(self.options.floor, 0.5 / max(served.sum(), 1)), 0.0)
        shares = floor + (1.0 - floor.sum()) * _best(last, random)
        return Proposal(last.points, shares, self.start, deviation)

    def winner(self, rounds: Sequence[Judged]) -> Points | None:
        """The set with the largest posterior gain, if it is above 0."""
        means, _ = posterior(rounds[-1])
        best = int(np.argmax(means))
        return rounds[-1].points[best] if means[best] > 0 else None

    def converged(self, rounds: Sequence[Judged]) -> str | None:
        """By the probability of the best set."""
        if not rounds:
            return None
        if not rounds[-1].usable.any():
            return "all sets have broken a guardrail"
        most = float(_best(rounds[-1], np.random.default_rng(0)).max())
        return f"one set is the best with probability {most:.3f}" if most >= self.options.converged else None


def posterior(judged: Judged) -> tuple[Points, Points]:
    """Posterior means and standard deviations of the gains [N]; minus infinity and 0 for sets that are stopped.

    A set of which too little was seen has the prior. Errors of control are left out: they are the same in all gains.
    """
    seen = judged.usable
    gains, noise = np.where(seen, judged.gains, 0.0), np.where(seen, judged.noise, np.inf)
    errors = judged.noise[seen] ** 2 + judged.control_noise[seen] ** 2
    least = 0.25 * float(judged.noise[seen].min()) ** 2 if seen.any() else 1.0
    prior = max(float((judged.gains[seen] ** 2 - errors).mean()), least) if seen.any() else 1.0
    variance = 1.0 / (1.0 / prior + noise**-2.0)
    means = np.where(judged.stopped, -np.inf, variance * gains * noise**-2.0)
    return means, np.where(judged.stopped, 0.0, np.sqrt(variance))


def _best(judged: Judged, random: np.random.Generator) -> Points:
    """Probabilities [N] that each set is the best; equal ones if all are stopped."""
    means, deviations = posterior(judged)
    served = np.flatnonzero(~judged.stopped)
    if not len(served):
        return equal_shares(len(means))
    drawn = means[served] + deviations[served] * random.standard_normal((DRAWS, len(served)))
    counts = np.bincount(served[drawn.argmax(axis=1)], minlength=len(means))
    return np.asarray(counts / DRAWS)
