"""Business rules: named steps after the formula, in the order of the config.

Boosts move the fused score of the candidates that a predicate picks, one after the other. Floors look at the
objectives' calibrated scores, not at the fused one, so that no boost lifts a candidate over a floor: wherever it
stands in the list, candidates below it rank after all others, or not at all.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from ranker.config.closed import Closed, Name
from ranker.expressions import Expression, ExpressionError, parse
from ranker.fusion.base import Floats, FusionError
from ranker.fusion.candidates import Candidates
from ranker.fusion.checks import at, require_known

Mask: TypeAlias = NDArray[np.bool_]


class Rule(Closed, ABC):
    """A step that picks candidates and does something with them."""

    @property
    def names(self) -> tuple[str, ...]:
        """Objectives and features that the rule reads."""
        return ()

    @abstractmethod
    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:
        """Raise ``FusionError``, beginning with the key, for a name that the rule reads and that is not given."""

    @abstractmethod
    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Which candidates the rule applies to [N]; scores are the calibrated ones."""

    def moved(self, fused: Floats) -> Floats:
        """Fused scores of picked candidates to new ones."""
        return fused

    @property
    def sends_last(self) -> bool:
        """Whether picked candidates rank after all others."""
        return False

    @property
    def drops(self) -> bool:
        """Whether picked candidates are left out of the ranking."""
        return False


class Floor(Rule):
    """Candidates of which an objective's score is below its least one rank last, or are dropped."""

    kind: Literal["floor"]
    least: dict[Name, float] = Field(min_length=1, description="Least score by objective.")
    below: Literal["last", "drop"] = Field(
        "last", description="last: after all others, in the order of their fused scores. drop: not in the answer."
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives."""
        return tuple(self.least)

    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:  # noqa: ARG002
        """Floors are of objectives."""
        for objective in self.least:
            with at(f"least.{objective}"):
                require_known(objective, objectives, f"{objective!r} is no objective")

    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Candidates below any of the floors."""
        below = np.zeros(len(candidates.scores), dtype=bool)
        for objective, least in self.least.items():
            below |= candidates.scores[:, objectives.index(objective)] < least
        return below

    @property
    def sends_last(self) -> bool:
        """As the config says."""
        return self.below == "last"

    @property
    def drops(self) -> bool:
        """As the config says."""
        return self.below == "drop"


class Boost(Rule):
    """Candidates for which a predicate holds get another fused score."""

    kind: Literal["boost"]
    where: str = Field(description="A predicate over objectives and features, such as `item_age_days < 2`.")
    multiply: float = Field(
        1.0, gt=0, description="Times the fused score, or divided into one below 0: above 1 it always moves up."
    )
    add: float = Field(0.0, description="Added to the fused score, after `multiply`.")

    @field_validator("where")
    @classmethod
    def _parsed(cls, text: str) -> str:
        predicate(text)
        return text

    @model_validator(mode="after")
    def _does_something(self) -> "Boost":
        if self.multiply == 1 and self.add == 0:
            raise ValueError("does nothing: give multiply, add, or both")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The objectives and features in the predicate."""
        return predicate(self.where).names

    def check(self, objectives: tuple[str, ...], features: tuple[str, ...]) -> None:
        """Predicates are over objectives and features."""
        with at("where"):
            for name in self.names:
                require_known(name, [*objectives, *features], f"{name!r} is no objective or feature of one value")

    def picks(self, objectives: tuple[str, ...], candidates: Candidates) -> Mask:
        """Candidates for which the predicate holds; it does not where a missing value leaves it unknown."""
        expression = predicate(self.where)
        scores = dict(zip(objectives, candidates.scores.T, strict=True))
        try:
            held = expression.evaluate(
                {n: scores[n] if n in scores else candidates.feature(n) for n in expression.names}
            )
        except ExpressionError as error:
            raise FusionError(str(error)) from None
        return np.broadcast_to(~np.isnan(held) & (held != 0), len(candidates.scores))

    def moved(self, fused: Floats) -> Floats:
        """Multiplied, then added to."""
        return np.where(fused < 0, fused / self.multiply, fused * self.multiply) + self.add


@lru_cache(maxsize=1024)
def predicate(text: str) -> Expression:
    """A parsed predicate, parsed once: rules are asked in every request."""
    return parse(text)


AnyRule = Annotated[Floor | Boost, Field(discriminator="kind")]
