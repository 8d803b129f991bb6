"""Arranges candidates under several constraints: the best-first list in which all hold, if there is one.

Places are filled one after the other with the first candidate of the order that every constraint allows; a dead end is
undone. If no list meets all constraints, they give way from the last declared: each is required only if it can be met
together with those before it that are. What is not required is still preferred at each place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ranker.fusion.reranking.placing import Placing

CHECKS = 1_000
"""Most candidates that a search looks at, over all places, before it gives up: 100 places fit several times."""
PREFERENCES = 30
"""Candidates of different kinds, from the first allowed, among which a preferred one is looked for."""


class Arranged(NamedTuple):
    """The candidates at the first places, and whether each constraint [C] is required."""

    picks: list[int]
    required: list[bool]


def arrange(placings: Sequence[Placing], count: int) -> Arranged:
    """Arrange ``count`` candidates, given in the order to keep where possible."""
    every = list(placings)
    places = max((placing.places for placing in every), default=0)
    picks = _Search(every, [placing for placing in every if placing.relaxed], count, places).run()
    if picks is not None:
        return Arranged(picks, [True] * len(every))
    required: list[Placing] = []
    met: list[int] = []
    for placing in every:
        found = _Search([*required, placing], [], count, max(one.horizon for one in [*required, placing])).run()
        if found is not None:
            required.append(placing)
            met = found
    others = [placing for placing in every if placing not in required or placing.relaxed]
    picks = _Search(required, others, count, places).run()
    # What is preferred can lead a search into too many dead ends; then what is required has to do.
    return Arranged(met if picks is None else picks, [placing in required for placing in every])


class _Search:
    """Depth-first search for a list; a run leaves no trace in the constraints."""

    def __init__(self, required: Sequence[Placing], preferred: Sequence[Placing], count: int, places: int) -> None:
        self._required, self._preferred = list(required), list(preferred)
        self._all = [*required, *(placing for placing in preferred if placing not in required)]
        self._places, self._count = places, count
        self._kinds = list(zip(*(placing.labels for placing in self._all), strict=True)) or [()] * count
        self._picks: list[int] = []
        self._used = [False] * count
        self._first = 0
        self._left = CHECKS
        self._memory = max((placing.memory for placing in self._all), default=0)
        self._failed: set[object] = set()

    def run(self) -> list[int] | None:
        """The candidates at the first places; ``None`` if there is no list, or none was found in ``CHECKS``."""
        for placing in self._all:
            placing.reset()
        return self._picks if self._filled(0) else None

    def _filled(self, place: int) -> bool:
        if place == self._places:
            return True
        if self._failed and self._state() in self._failed:
            return False
        for candidate in self._candidates(place):
            self._put(candidate, place)
            if self._filled(place + 1):
                return True
            self._take_back(candidate, place)
        self._failed.add(self._state())
        return False

    def _candidates(self, place: int) -> Iterator[int]:
        """Candidates to try at a place: the first of each kind that is allowed, preferred ones first."""
        if not self._preferred:
            yield from self._allowed(place)
            return
        others: list[tuple[list[bool], int]] = []
        for candidate in self._allowed(place):
            misfits = self._misfits(candidate, place)
            if any(misfits):
                others.append((misfits, candidate))
            else:
                yield candidate
            if len(others) == PREFERENCES:
                break
        for _, candidate in sorted(others):
            yield candidate

    def _allowed(self, place: int) -> Iterator[int]:
        while self._first < self._count and self._used[self._first]:
            self._first += 1
        tried: set[object] = set()
        for candidate in range(self._first, self._count):
            kind = self._kinds[candidate]
            if self._used[candidate] or kind in tried:
                continue
            tried.add(kind)
            self._left -= 1
            if self._left < 0:
                return
            if all(placing.allows(placing.labels[candidate], place) for placing in self._required):
                yield candidate

    def _misfits(self, candidate: int, place: int) -> list[bool]:
        return [not placing.fits(placing.labels[candidate], place) for placing in self._preferred]

    def _put(self, candidate: int, place: int) -> None:
        for placing in self._all:
            placing.put(placing.labels[candidate], place)
        self._used[candidate] = True
        self._picks.append(candidate)

    def _take_back(self, candidate: int, place: int) -> None:
        for placing in self._all:
            placing.take_back(placing.labels[candidate], place)
        self._used[candidate] = False
        self._first = min(self._first, candidate)
        self._picks.pop()

    def _state(self) -> object:
        """What the rest of the search depends on: how many of each kind are used, and the kinds of the last places.

        Which candidates of a kind were taken is no choice, as these are always the first.
        """
        kinds = [self._kinds[candidate] for candidate in self._picks]
        return frozenset(Counter(kinds).items()), tuple(kinds[max(len(kinds) - self._memory, 0) :])
