"""Quota: at least, or at most, so many of the first places for candidates that match a predicate."""

from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from ranker.fusion.base import Parameter
from ranker.fusion.predicates import Predicate, predicate
from ranker.fusion.reranking.base import CONSIDER, STEPS, Considering, Indices, Readable, Request, check_where
from ranker.fusion.reranking.placing import Mask, Placing


def _count(name: str, default: int, low: int, description: str) -> Parameter:
    return Parameter(
        name=name, default=default, low=low, high=100, per_objective=False, integer=True, description=description
    )


@STEPS.register("quota")
class Quota(Considering):
    """Reserves places among the first for candidates that match a predicate, or bounds their number."""

    kind: Literal["quota"]
    where: Predicate = Field(description="A predicate over objectives and features, such as `is_new == 1`.")
    at_least: int | None = Field(None, description="Fewest matching candidates in the first places.")
    at_most: int | None = Field(None, description="Most matching candidates in the first places.")
    of_first: int = Field(10, description="Number of first places.")

    parameters: ClassVar[tuple[Parameter, ...]] = (
        _count("at_least", 1, 0, "Fewest matching candidates in the first places."),
        _count("at_most", 1, 0, "Most matching candidates in the first places."),
        _count("of_first", 10, 1, "Number of first places."),
        CONSIDER,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("has no effect: set at_least, at_most, or both")
        if self.at_least is not None and self.at_least > self.of_first:
            raise ValueError(f"at_least must be at most of_first, got {self.at_least} of the first {self.of_first}")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least must be at most at_most, got {self.at_least} and {self.at_most}")
        return self

    def reads(self, readable: Readable) -> tuple[str, ...]:
        """Objectives and features in the predicate."""
        del readable
        return predicate(self.where).names

    def check(self, readable: Readable) -> None:
        """Require objectives and features of one value."""
        check_where(self.where, readable)

    def placing(self, request: Request, places: Indices) -> Placing:
        """Bounds on the number of matching candidates in the first places."""
        labels = request.matching(self.where, places).astype(int).tolist()
        most = self.of_first if self.at_most is None else self.at_most
        return Counted(labels, self.where, self.at_least or 0, most, min(self.of_first, len(places)))


class Counted(Placing):
    """From ``least`` to ``most`` candidates with label 1 in the first ``horizon`` places."""

    def __init__(self, labels: Sequence[int], where: str, least: int, most: int, first: int) -> None:
        self.labels, self._where = labels, where
        self.places = self.horizon = first
        self._asked = (least, most)
        matching = sum(labels)
        self._least = min(least, first, matching)
        self._most = max(most, first - (len(labels) - matching))
        self.relaxed = self._least < least or self._most > most
        self.reset()

    def reset(self) -> None:
        """Begin with an empty list."""
        matching = sum(self.labels)
        self._left = [len(self.labels) - matching, matching]
        self._got = 0

    def fitting(self, place: int) -> Mask:
        """Labels after which enough places and candidates remain to meet both bounds."""
        rest = self.horizon - place - 1
        fitting = np.zeros(2, dtype=bool)
        for label in (0, 1):
            got = self._got + label
            others, matching = self._left[0] - (1 - label), self._left[1] - label
            enough = self._least - got <= min(rest, matching)
            fitting[label] = enough and got <= self._most and rest - (self._most - got) <= others
        return fitting

    def put(self, label: int, place: int) -> None:
        """Count the candidate."""
        self._left[label] -= 1
        self._got += label if place < self.horizon else 0

    def take_back(self, label: int, place: int) -> None:
        """Undo the last ``put``."""
        self._left[label] += 1
        self._got -= label if place < self.horizon else 0

    def broken(self, labels: Sequence[int]) -> str | None:
        """How many candidates match, if they are too few or too many."""
        got, (least, most) = sum(labels[: self.horizon]), self._asked
        found = f"{got} of the first {self.horizon} match {self._where}"
        if got < least:
            return f"{found}, fewer than {least}"
        return f"{found}, more than {most}" if got > most else None
