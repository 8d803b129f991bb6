"""Business rules: named steps after the formula, in config order.

Boosts change the fused scores of candidates that match a predicate, one after the other. Floors apply to the
objectives' calibrated scores, not to the fused score, so that no boost lifts a candidate over a floor: wherever a floor
is in the list, candidates below it rank last or are dropped.
"""

from abc import ABC, abstractmethod
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ranker.config.closed import Closed, Name
from ranker.fusion.base import Floats
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import at, require_known
from ranker.fusion.predicates import Predicate, check_predicate, matching, predicate

Mask: TypeAlias = NDArray[np.bool_]


class Rule(Closed, ABC):
    """A step that applies to selected candidates."""

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives and features the rule reads."""
        return ()

    @abstractmethod
    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:
        """Raise ``FusionError``, beginning with the key, for an unknown name."""

    @abstractmethod
    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Mask of candidates [N] the rule applies to; scores are calibrated."""

    def moved(self, fused: Floats) -> Floats:
        """New fused scores of selected candidates."""
        return fused

    @property
    def sends_last(self) -> bool:
        """Whether selected candidates rank after all others."""
        return False

    @property
    def drops(self) -> bool:
        """Whether selected candidates are dropped."""
        return False


class Floor(Rule):
    """Ranks candidates with a score below an objective's minimum last, or drops them."""

    kind: Literal["floor"]
    least: dict[Name, float] = Field(min_length=1, description="Minimum score by objective.")
    below: Literal["last", "drop"] = Field(
        "last", description="last: rank after all others, by fused score. drop: remove from the response."
    )

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives with a minimum."""
        return tuple(self.least)

    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:  # noqa: ARG002
        """Require objectives."""
        for objective in self.least:
            with at(f"least.{objective}"):
                require_known(objective, objectives, f"{objective!r} is not an objective")

    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Mask of candidates below any minimum."""
        below = np.zeros(len(candidates.scores), dtype=bool)
        for objective, least in self.least.items():
            below |= candidates.scores[:, objectives.index(objective)] < least
        return below

    @property
    def sends_last(self) -> bool:
        """Depends on ``below``."""
        return self.below == "last"

    @property
    def drops(self) -> bool:
        """Depends on ``below``."""
        return self.below == "drop"


class Boost(Rule):
    """Changes the fused score of candidates that match a predicate."""

    kind: Literal["boost"]
    where: Predicate = Field(description="A predicate over objectives and features, such as `item_age_days < 2`.")
    multiply: float = Field(
        1.0, gt=0, description="Multiplies the fused score (divides it if negative), so that above 1 always raises it."
    )
    add: float = Field(0.0, description="Added to the fused score, after `multiply`.")

    @model_validator(mode="after")
    def _does_something(self) -> "Boost":
        if self.multiply == 1 and self.add == 0:
            raise ValueError("has no effect: set multiply, add, or both")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives and features in the predicate."""
        return predicate(self.where).names

    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:
        """Require objectives and features."""
        check_predicate(self.where, [*objectives, *features])

    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Mask of candidates that match the predicate; unknown counts as false."""
        scores = dict(zip(objectives, candidates.scores.T, strict=True))
        values = {name: scores[name] if name in scores else candidates.feature(name) for name in self.names}
        return matching(self.where, values, len(candidates.scores))

    def moved(self, fused: Floats) -> Floats:
        """Multiply, then add."""
        return np.where(fused < 0, fused / self.multiply, fused * self.multiply) + self.add


AnyRule = Annotated[Floor | Boost, Field(discriminator="kind")]
