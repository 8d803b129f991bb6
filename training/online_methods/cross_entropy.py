"""Cross-entropy search on live traffic: a Gaussian that is refitted to the best sets of each round."""

from collections.abc import Sequence
from typing import Literal

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

ALIKE = 0.2
"""P-value from which sets count as alike."""


@ONLINE_METHODS.register("cross_entropy")
class CrossEntropy(OnlineMethod):
    """Draw sets from a Gaussian, refit it to the best of them, repeat. Rubinstein 1999; smoothing: de Boer et al. 2005.

    New mean: ``smoothing * old + (1 - smoothing) * mean of the elite``, the variances likewise. Variances of the elite
    are those around the old mean, as in CMA-ES (Hansen 2016): they measure the steps that were good, so the Gaussian
    does not shrink while it moves, nor on average if sets differ only by noise. The parameters of today, with their
    gain of 0, compete for a place in the elite: a round of bad luck, whose sets are all worse, does not lead away from
    them. If fewer than two sets are usable, the mean stays and the standard deviation is halved: nearer to what is
    known to be safe. The winner is the mean: it averages over the elites of all rounds, whereas the best set of a round
    is the luckiest.
    """

    class Options(MethodOptions):
        """Options of the Gaussian; deviations are in units of the trust region's width, which is 1."""

        name: Literal["cross_entropy"] = "cross_entropy"
        deviation: float = Field(0.25, gt=0, le=1, description="First standard deviation, in widths of the range.")
        elite: float = Field(0.34, gt=0, le=1, description="Fraction of the sets that the Gaussian is refitted to.")
        smoothing: float = Field(0.3, ge=0, lt=1, description="Fraction of the old mean and variance that is kept.")
        least_deviation: float = Field(
            0.02, gt=0, le=1, description="Smallest standard deviation: a Gaussian without one would stop searching."
        )
        converged: float = Field(
            0.05, ge=0, le=1, description="Converged once no parameter's standard deviation is larger."
        )
        alike: int = Field(
            3,
            ge=0,
            description=f"Also stop after this many rounds in a row whose sets do not differ beyond noise (p > {ALIKE}"
            " in Cochran's test); 0: never.",
        )

    options: Options

    def propose(self, rounds: Sequence[Judged], random: np.random.Generator) -> Proposal:
        """Draw from the Gaussian after these rounds."""
        mean, deviation = self._gaussian(rounds)
        points = gaussian(mean, deviation, self.options.sets, random)
        return Proposal(points, equal_shares(len(points)), mean, deviation)

    def winner(self, rounds: Sequence[Judged]) -> Points | None:
        """The mean; ``None`` if no round had an elite."""
        return self._gaussian(rounds)[0] if any(len(self._elite(one)) for one in rounds) else None

    def converged(self, rounds: Sequence[Judged]) -> str | None:
        """By the deviations, or by rounds without differences."""
        largest = float(self._gaussian(rounds)[1].max())
        if largest <= self.options.converged:
            return f"the largest standard deviation is {largest:.3g} of a range, at most {self.options.converged:g}"
        last = rounds[-self.options.alike :] if self.options.alike else []
        if len(last) == self.options.alike > 0 and all(one.equality() > ALIKE for one in last):
            return f"the sets of {len(last)} rounds in a row do not differ beyond noise"
        return None

    def _gaussian(self, rounds: Sequence[Judged]) -> tuple[Points, Points]:
        mean, deviation = self.start, np.full(self.dimensions, self.options.deviation)
        kept = self.options.smoothing
        for one in rounds:
            elite = self._elite(one)
            if len(elite):
                steps = ((elite - mean) ** 2).mean(axis=0)
                mean = kept * mean + (1 - kept) * elite.mean(axis=0)
                deviation = np.sqrt(kept * deviation**2 + (1 - kept) * steps)
            else:
                deviation = deviation / 2
            deviation = np.maximum(deviation, self.options.least_deviation)
        return mean, deviation

    def _elite(self, judged: Judged) -> Points:
        """The best usable sets [k, D], at least two; empty if there are fewer."""
        count = max(2, round(self.options.elite * len(judged.gains)))
        usable = judged.usable
        if usable.sum() < 2:
            return judged.points[:0]
        points = np.vstack([judged.points[usable], self.start])
        gains = np.append(judged.gains[usable], 0.0)
        return points[np.argsort(-gains, kind="stable")[:count]]
