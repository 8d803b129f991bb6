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
from ranker.fusion.reranking.placing import Mask, Placing, Work

LONG_AGO = -1_000
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
        self.labels, self.places, self._name = labels, first, name
        self._most, self._window = min(most, window), window
        self.memory = window - 1
        counts = Counter(labels)
        self._unbounded_of_all = counts.pop(MISSING, 0)
        self._all = [counts[label] for label in range(len(counts))]
        place = np.arange(first)
        # How many of a label stand in the first places, if nothing stands before them.
        self._room = np.minimum(place // window * most + np.minimum(place % window + 1, most), place + 1)
        self.reset()
        self.horizon = self._reachable(0, first, Work(0))
        self.relaxed = self.horizon < first

    def reset(self) -> None:
        """Begin with an empty list."""
        self._left = self._all.copy()
        self._unbounded = self._unbounded_of_all
        self._alive = len(self._left)
        # Number of labels by how many of each are left; more than there are places count as so many.
        self._by_left = np.bincount(
            np.minimum(np.array(self._left, dtype=np.intp), self.places), minlength=self.places + 1
        )
        self._list: list[int] = []
        self._taken: list[list[int]] = [[] for _ in self._left]
        self._inside = [0] * len(self._left)
        self._latest = np.full((len(self._left), self._most), LONG_AGO)  # the places of the last ones of each label
        self._fitting = np.ones(len(self._left) + 1, dtype=bool)

    def fitting(self, place: int) -> Mask:
        """Labels for which the window that ends at the place has room."""
        del place
        return self._fitting

    def completes(self, label: int, place: int, work: Work) -> bool:
        """Whether other labels can fill the places up to the horizon."""
        rest = self.horizon - place - 1
        # Enough labels that stand in no window yet: one of each fills the rest.
        if not rest or self._alive - 1 - min(self._window - 1, place + 1) + self._unbounded >= rest + 1:
            return True
        # Enough labels of which more are left than the rest can hold: some always has room in the window.
        work.spend(2)
        held = min(rest, (rest // self._window + 1) * self._most)
        if int(self._by_left[held + 1 :].sum()) * self._most >= self._window:
            return True
        self.put(label, place)
        possible = self._reachable(place + 1, rest, work) == rest
        self.take_back(label, place)
        return possible

    def look_ahead(self, label: int) -> object:
        """How many are left, and where those in the window are."""
        if label == MISSING:
            return None
        taken = self._taken[label]
        return self._left[label], tuple(taken[len(taken) - self._inside[label] :])

    def put(self, label: int, place: int) -> None:
        """Count the label; the one that leaves the window has room again."""
        self._list.append(label)
        if label == MISSING:
            self._unbounded -= 1
        else:
            self._taken[label].append(place)
            self._latest[label, :-1] = self._latest[label, 1:]
            self._latest[label, -1] = place
            self._count(label, -1)
            self._enter(label, 1)
        if place + 1 >= self._window and (leaving := self._list[place + 1 - self._window]) != MISSING:
            self._enter(leaving, -1)

    def take_back(self, label: int, place: int) -> None:
        """Undo the last ``put``."""
        if place + 1 >= self._window and (leaving := self._list[place + 1 - self._window]) != MISSING:
            self._enter(leaving, 1)
        self._list.pop()
        if label == MISSING:
            self._unbounded += 1
        else:
            taken = self._taken[label]
            taken.pop()
            self._latest[label, 1:] = self._latest[label, :-1]
            self._latest[label, 0] = taken[-self._most] if len(taken) >= self._most else LONG_AGO
            self._count(label, 1)
            self._enter(label, -1)

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

    def _count(self, label: int, change: int) -> None:
        """Change how many are left of a label."""
        before = self._left[label]
        after = self._left[label] = before + change
        self._alive += (after > 0) - (before > 0)
        self._by_left[min(before, self.places)] -= 1
        self._by_left[min(after, self.places)] += 1

    def _enter(self, label: int, change: int) -> None:
        """Change how many of a label are in the window before the next place."""
        self._inside[label] += change
        self._fitting[label] = self._inside[label] < self._most

    def _reachable(self, start: int, places: int, work: Work) -> int:
        """How many of the next places, from ``start``, can be filled.

        The n-th of them needs n candidates whose earliest places are among the first n: each label's earliest places
        follow from the window before and from its own earlier candidates.
        """
        if not places:
            return 0
        by_left, by_place = self._by_left, np.zeros(places, dtype=np.intp)
        recent = list({label for label in self._list[max(start - self._window + 1, 0) :] if label != MISSING})
        if recent:
            left = np.array([self._left[label] for label in recent])
            by_left = by_left - np.bincount(np.minimum(left, self.places), minlength=len(by_left))
            earliest = self._earliest(np.array(recent), left, start, places)
            by_place = np.bincount(earliest, minlength=places)
            work.spend(10 + len(recent) // 10 + len(recent) * self._most // 20)
        work.spend(10)
        at_least = by_left[::-1].cumsum()[::-1]  # number of labels of which so many are left, or more
        fresh = at_least[1:].cumsum()[self._room[:places] - 1]
        short = np.flatnonzero(self._unbounded + fresh + by_place.cumsum() < np.arange(1, places + 1))
        return int(short[0]) if len(short) else places

    def _earliest(self, labels: Indices, left: Indices, start: int, places: int) -> Indices:
        """The earliest of the next places, from 0, of the remaining candidates of labels, below ``places``.

        The j-th of a label is ``window`` places after the one ``most`` before it, and after the last. So the first
        ``most`` of them follow from the last places of the label, and the others repeat them every window.
        """
        index = np.arange(self._most)
        first = (
            np.maximum.accumulate(np.maximum(self._latest[labels] + self._window - start - index, 0), axis=1) + index
        )
        times = np.arange(-(-places // self._window))[:, None, None]
        found = first + self._window * times
        return found[(found < places) & (index + self._most * times < left[:, None])]
