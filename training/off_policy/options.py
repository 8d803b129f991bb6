"""Options of an evaluation."""

from dataclasses import asdict, dataclass
from typing import Any

from ranker.registry import alternatives
from training.config.experiment import ConfigError
from training.off_policy.estimators import ESTIMATORS


@dataclass(frozen=True)
class EvaluationOptions:
    """How policies are evaluated.

    Attributes
    ----------
    estimator
        The one whose values are judged; by default ``place_dr``, or ``place_snips`` if the model does not tell the
        reward.
    places
        Number of first places whose rewards count.
    draws
        Lists that are drawn for each request where chances cannot be counted.
    clip
        Largest weight; ``None`` for no limit.
    level
        Probability of intervals to hold the true value.
    least_effective
        Least effective sample size at every place.
    most_outside
        Largest share of the policy that the logging policy never does.
    within_logged
        Whether policies that rank the logged candidates alone are meant.
    least
        Least gain that the interval must exclude smaller ones of; ``None`` for no limit.
    seed
        Seed of the draws.
    """

    estimator: str | None = None
    places: int = 100
    draws: int = 32
    clip: float | None = None
    level: float = 0.95
    least_effective: float = 100.0
    most_outside: float = 0.05
    within_logged: bool = False
    least: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ``ConfigError`` for a value out of bounds."""
        if self.estimator is not None and self.estimator not in ESTIMATORS:
            raise ConfigError(f"--by: {self.estimator!r} is no estimator{alternatives(self.estimator, ESTIMATORS)}")
        if not 0 < self.level < 1:
            raise ConfigError(f"--level: must be above 0 and below 1, got {self.level:g}")
        if not 1 <= self.places <= 1000:
            raise ConfigError(f"--places: must be from 1 to 1000, got {self.places}")
        if not 1 <= self.draws <= 10_000:
            raise ConfigError(f"--draws: must be from 1 to 10000, got {self.draws}")
        if self.clip is not None and not self.clip >= 1:
            raise ConfigError(f"--clip: must be at least 1, got {self.clip:g}")
        if not self.least_effective >= 0:
            raise ConfigError(f"--least-effective: must be at least 0, got {self.least_effective:g}")
        if not 0 <= self.most_outside <= 1:
            raise ConfigError(f"--most-outside: must be from 0 to 1, got {self.most_outside:g}")

    def judged(self, *, with_model: bool) -> str:
        """The estimator whose values are judged. Raises ``ConfigError`` if it needs a model that there is not."""
        if self.estimator is None:
            return "place_dr" if with_model else "place_snips"
        if ESTIMATORS[self.estimator].needs_model and not with_model:
            usable = ", ".join(name for name, one in ESTIMATORS.items() if not one.needs_model)
            raise ConfigError(
                f"--by: {self.estimator} needs a reward of tasks alone, whose scores tell what the model expects; "
                f"without one, use {usable}"
            )
        return self.estimator

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return asdict(self)
