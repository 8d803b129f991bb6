"""Base class of methods of online search: from judged rounds to the sets of the next one."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import chi2

from ranker.config.closed import Closed
from ranker.registry import Registry

Points = NDArray[np.float64]
"""Points of the unit cube [N, D], or numbers by set [N]."""
MOST_SETS = 30


class MethodOptions(Closed):
    """Options that all methods have."""

    name: Any
    sets: int = Field(6, ge=2, le=MOST_SETS, description="Parameter sets that are served at once, beside control.")


@dataclass(frozen=True, eq=False)
class Judged:
    """A finished round.

    Attributes
    ----------
    points
        The N sets as points of the unit cube [N, D].
    gains
        Reward of each set minus that of control [N]; NaN where too little was seen of a set.
    noise
        Standard errors of the sets' own rewards [N].
    control_noise
        Standard errors of the rewards of control that they are compared with [N]; the same errors are in all gains.
    stopped
        Whether a set broke a guardrail [N].
    """

    points: Points
    gains: Points
    noise: Points
    control_noise: Points
    stopped: NDArray[np.bool_]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Sets that have a gain and broke no guardrail [N]."""
        return np.isfinite(self.gains) & ~self.stopped

    def equality(self) -> float:
        """P-value of the hypothesis that all usable sets have the same reward. Cochran's Q, Cochran 1954."""
        gains, weights = self.gains[self.usable], self.noise[self.usable] ** -2.0
        if len(gains) < 2:
            return 1.0
        q = float(weights @ (gains - (weights @ gains) / weights.sum()) ** 2)
        return float(chi2.sf(q, len(gains) - 1))


@dataclass(frozen=True, eq=False)
class Proposal:
    """The next round.

    Attributes
    ----------
    points
        Sets as points of the unit cube [N, D].
    shares
        Fractions [N] of the users that control leaves, summing to 1; 0 where a set is no longer served.
    mean, deviation
        Centre [D] and standard deviation [D] of what the sets are drawn from.
    """

    points: Points
    shares: Points
    mean: Points
    deviation: Points


class OnlineMethod(ABC):
    """Decides on the sets of each round.

    It has no state: everything follows from the start, the judged rounds and the random numbers of the round, so that a
    search resumes with the same sets.

    Parameters
    ----------
    options
        The method's ``Options``.
    start
        The point of the parameters of today [D].
    """

    Options: ClassVar[type[MethodOptions]]
    keeps_units: ClassVar[bool] = False
    """Whether the same sets are served in all rounds, and a unit stays with its set where shares allow it."""

    def __init__(self, options: MethodOptions, start: Points) -> None:
        self.options = options
        self.start = np.asarray(start, dtype=np.float64)

    @property
    def dimensions(self) -> int:
        """Number of parameters D."""
        return len(self.start)

    @abstractmethod
    def propose(self, rounds: Sequence[Judged], random: np.random.Generator) -> Proposal:
        """The sets after these rounds; the sets of a method that ``keeps_units`` are always the same."""

    @abstractmethod
    def winner(self, rounds: Sequence[Judged]) -> Points | None:
        """The point [D] that is best by what is known; ``None`` if nothing promises more than today."""

    def converged(self, rounds: Sequence[Judged]) -> str | None:  # noqa: ARG002
        """Why more rounds are of no use; ``None`` if they are."""
        return None


ONLINE_METHODS: Registry[type[OnlineMethod]] = Registry("online search method")


def equal_shares(count: int) -> Points:
    """Equal fractions [N]."""
    return np.full(count, 1.0 / count)


def gaussian(mean: Points, deviation: Points, count: int, random: np.random.Generator) -> Points:
    """Draws [N, D] from a Gaussian, clipped to the trust region."""
    return np.clip(mean + deviation * random.standard_normal((count, len(mean))), 0.0, 1.0)
