"""Spread: at most so many candidates with the same value in any window of consecutive places."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.config.closed import Name
from ranker.fusion.base import Parameter
from ranker.fusion.checks import at, require_known
from ranker.fusion.reranking.base import CONSIDER, FIRST, STEPS, Considering, Indices, Readable, Request
from ranker.fusion.reranking.placing import Placing

MISSING = -1
"""Label of candidates without a value, which nothing bounds."""


@STEPS.register("spread")
class Spread(Considering):
    """Bounds how often a value of a feature, such as an author, stands in consecutive places."""

    kind: Literal["spread"]
    of: Name = Field(description="Candidate feature of one value, such as author_id. Missing values are not bounded.")
    at_most: int = Field(1, description="Most candidates with the same value in a window.")
    window: int = Field(4, description="Number of consecutive places that a window covers.")
    first: int = Field(20, description="Places, from the first, in which it holds.")

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="at_most", default=1, low=1, high=100, per_objective=False, integer=True,
            description="Most candidates with the same value in a window.",
        ),
        Parameter(
            name="window", default=4, low=2, high=100, per_objective=False, integer=True,
            description="Number of consecutive places that a window covers.",
        ),
        FIRST,
        CONSIDER,
    )  # fmt: skip

    def reads(self, readable: Readable) -> tuple[str, ...]:
        """The feature."""
        del readable
        return (self.of,)

    @property
    def compared(self) -> tuple[str, ...]:
        """The feature."""
        return (self.of,)

    def check(self, readable: Readable) -> None:
        """Require a candidate feature of one value."""
        known = [name for name, kind in readable.compared.items() if kind in ("category", "number")]
        with at("of"):
            require_known(self.of, known, f"{self.of!r} is not a candidate feature of one value")

    def placing(self, request: Request, places: Indices) -> Placing:
        """At most ``at_most`` of a value in each window of the first places."""
        labels = coded(request.values(self.of, places))
        return Windows(labels, self.of, self.at_most, self.window, min(self.first, len(places)))


def coded(values: NDArray[Any]) -> list[int]:
    """Labels of values [M]: equal ones alike; ``MISSING`` for None and NaN."""
    codes: dict[Any, int] = {}
    return [MISSING if v is None or v != v else codes.setdefault(v, len(codes)) for v in values.tolist()]


class Windows(Placing):
    """At most ``most`` equal labels in any ``window`` consecutive places of the first ``first``."""

    def __init__(self, labels: Sequence[int], name: str, most: int, window: int, first: int) -> None:
        self.labels, self.places, self._name, self._most, self._window = labels, first, name, most, window
        self.memory = window - 1
        self._all = Counter(labels)
        self.reset()
        self.horizon = self._reachable(0, first)
        self.relaxed = self.horizon < first

    def reset(self) -> None:
        """Begin with an empty list."""
        self._left = dict(self._all)
        self._unbounded = self._left.pop(MISSING, 0)
        self._alive = len(self._left)
        self._list: list[int] = []

    def fits(self, label: int, place: int) -> bool:
        """Whether the window that ends at the place has room for the label."""
        if label == MISSING or place >= self.places:
            return True
        return self._list[max(place - self._window + 1, 0) :].count(label) < self._most

    def allows(self, label: int, place: int) -> bool:
        """Within the horizon: whether it fits, and other labels can fill the places up to it."""
        if place >= self.horizon:
            return True
        if not self.fits(label, place):
            return False
        rest = self.horizon - place - 1
        # Enough labels that stand in no window yet: one of each fills the rest.
        if not rest or self._alive - 1 - min(self._window - 1, place + 1) + self._unbounded >= rest + 1:
            return True
        self.put(label, place)
        possible = self._reachable(place + 1, rest) == rest
        self.take_back(label, place)
        return possible

    def put(self, label: int, place: int) -> None:
        """Count the label."""
        del place
        self._list.append(label)
        if label == MISSING:
            self._unbounded -= 1
        else:
            self._left[label] -= 1
            self._alive -= not self._left[label]

    def take_back(self, label: int, place: int) -> None:
        """Undo the last ``put``."""
        del place
        self._list.pop()
        if label == MISSING:
            self._unbounded += 1
        else:
            self._alive += not self._left[label]
            self._left[label] += 1

    def broken(self, labels: Sequence[int]) -> str | None:
        """Places whose value stands too often in the window that ends there."""
        found = [
            str(place + 1)
            for place, label in enumerate(labels[: self.places])
            if label != MISSING and labels[max(place - self._window + 1, 0) : place].count(label) >= self._most
        ]
        if not found:
            return None
        return f"more than {self._most} of a value of {self._name} within {self._window} places at {', '.join(found)}"

    def _reachable(self, start: int, places: int) -> int:
        """How many of the next places, from ``start``, can be filled.

        The n-th of them needs n candidates whose earliest places are among the first n: each label's earliest places
        follow from the window before and from its own earlier candidates.
        """
        by_place = np.zeros(places, dtype=np.int64)
        if places:
            by_place[0] += self._unbounded
        recent = self._list[max(start - self._window + 1, 0) :]
        fresh = 0
        for label, count in self._left.items():
            if not count:
                continue
            if count == 1 and label not in recent:
                fresh += 1
                continue
            for place in self._earliest(label, count, recent, places):
                by_place[place] += 1
        if places:
            by_place[0] += fresh
        short = np.flatnonzero(np.cumsum(by_place) < np.arange(1, places + 1))
        return int(short[0]) if len(short) else places

    def _earliest(self, label: int, count: int, recent: list[int], places: int) -> list[int]:
        """The earliest next places, from 0, of a label's remaining candidates, below ``places``."""
        # Places of the label in the window before, counted back from the next place: -1 is the last.
        taken = [i - len(recent) for i, one in enumerate(recent) if one == label]
        found: list[int] = []
        place = 0
        while len(found) < count:
            if len(taken) >= self._most:
                place = max(place, taken[-self._most] + self._window)
            if place >= places:
                break
            taken.append(place)
            found.append(place)
            place += 1
        return found
