"""Arranges candidates under several constraints: the best-first list in which all hold, if there is one.

Places are filled one after the other with the first candidate of the order that every constraint allows; a dead end is
undone. If no list meets all constraints, they give way from the last declared: each is required only if it can be met
together with those before it that are. What is not required is still preferred at each place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.reranking.placing import Mask, Placing, Work

STEPS = 6_000
"""Steps of work after which searches for an arrangement are given up: 20 places take some 300, 100 some 2,000."""

LARGEST = 2**62
"""Largest number of kinds as whole numbers."""


class Arranged(NamedTuple):
    """A list, as far as constraints are about it.

    Attributes
    ----------
    picks
        The candidates at the first places.
    required
        Whether each constraint [C] is met as far as the candidates allow.
    given_up
        Whether the search for a list that meets it [C], together with those before it, was given up.
    steps
        Steps of work that it took.
    """

    picks: list[int]
    required: list[bool]
    given_up: list[bool]
    steps: int


def arrange(placings: Sequence[Placing], count: int) -> Arranged:
    """Arrange ``count`` candidates, given in the order to keep where possible."""
    every = list(placings)
    places = max((placing.places for placing in every), default=0)
    work = Work(STEPS)
    picks = _Search(every, [placing for placing in every if placing.relaxed], count).run(places, work, STEPS // 2)
    if picks is not None:
        return Arranged(picks, [True] * len(every), [False] * len(every), STEPS - work.left)
    required: list[Placing] = []
    given_up: list[bool] = []
    met: list[int] = []
    for number, placing in enumerate(every):
        both = [*required, placing]
        # One constraint alone looks ahead so well that it is rarely undone; further ones share what it leaves.
        share = work.left // (len(every) - number + 1) if number else work.left
        search = _Search(both, [], count)
        found = search.run(max(one.horizon for one in both), work, share)
        given_up.append(search.given_up)
        if found is not None:
            required.append(placing)
            met = found
    others = [placing for placing in every if placing not in required or placing.relaxed]
    # Where nothing is required, there are no dead ends. What is preferred can lead into too many of them; then what is
    # required has to do.
    picks = _Search(required, others, count).run(places, work, work.left if required else STEPS)
    held = [placing in required for placing in every]
    return Arranged(met if picks is None else picks, held, given_up, STEPS - work.left)


class _Search:
    """Depth-first search for a list, which is run once; ``given_up`` tells whether it ran out of steps."""

    def __init__(self, required: Sequence[Placing], preferred: Sequence[Placing], count: int) -> None:
        self._required, self._preferred = list(required), list(preferred)
        self._all = [*required, *(placing for placing in preferred if placing not in required)]
        self._labels = {id(placing): np.asarray(placing.labels, dtype=np.intp) for placing in self._all}
        kinds = _kinds([self._labels[id(placing)] for placing in self._all], count)
        self._later, self._first = _chains(kinds)
        self._kinds: list[int] = kinds.tolist()
        self._picks: list[int] = []
        self._memory = max((placing.memory for placing in self._all), default=0)
        self._failed: set[object] = set()
        self.given_up = False

    def run(self, places: int, work: Work, steps: int) -> list[int] | None:
        """The candidates at the first places; ``None`` if there is no list, or none was found in so many steps."""
        least = work.left - steps
        work.spend(len(self._kinds) // 50 * (len(self._all) + 1))
        for placing in self._all:
            placing.reset()
        open_places = [self._candidates(0, work)]
        while len(self._picks) < places:
            if work.left <= least:
                self.given_up = True
                return None
            candidate = next(open_places[-1], None)
            if candidate is None:
                open_places.pop()
                if not open_places:
                    return None
                self._failed.add(self._state(work))
                self._take_back()
                continue
            self._put(candidate)
            if self._failed and self._state(work) in self._failed:
                self._take_back()
            else:
                open_places.append(self._candidates(len(self._picks), work))
        return self._picks

    def _candidates(self, place: int, work: Work) -> Iterator[int]:
        """Candidates to try at a place: the first of each kind that is allowed, preferred ones first."""
        work.spend(6 + 4 * (len(self._required) + len(self._preferred)))
        allowed = self._first.copy()
        for placing in self._required:
            if place < placing.horizon:
                allowed &= placing.fitting(place)[self._labels[id(placing)]]
        tried = allowed.nonzero()[0]
        if self._preferred:
            misfits = np.zeros(len(tried), dtype=np.intp)
            for placing in self._preferred:
                misfits *= 2
                if place < placing.places:
                    misfits += ~placing.fitting(place)[self._labels[id(placing)][tried]]
            tried = tried[np.argsort(misfits, kind="stable")]
        looking = [placing for placing in self._required if place < placing.horizon]
        seen: dict[object, bool] = {}
        for candidate in map(int, tried):  # few of them are asked for
            work.spend(1)
            if all(_completes(placing, candidate, place, seen, work) for placing in looking):
                yield candidate

    def _put(self, candidate: int) -> None:
        for placing in self._all:
            placing.put(placing.labels[candidate], len(self._picks))
        self._first[candidate] = False
        if (later := self._later[candidate]) >= 0:
            self._first[later] = True
        self._picks.append(candidate)

    def _take_back(self) -> None:
        candidate = self._picks.pop()
        for placing in self._all:
            placing.take_back(placing.labels[candidate], len(self._picks))
        self._first[candidate] = True
        if (later := self._later[candidate]) >= 0:
            self._first[later] = False

    def _state(self, work: Work) -> object:
        """What the rest of the search depends on: how many of each kind are used, and the kinds of the last places.

        Which candidates of a kind were taken is no choice, as these are always the first.
        """
        work.spend(4 + len(self._picks) // 4)
        kinds = [self._kinds[candidate] for candidate in self._picks]
        return frozenset(Counter(kinds).items()), tuple(kinds[max(len(kinds) - self._memory, 0) :])


def _completes(placing: Placing, candidate: int, place: int, seen: dict[object, bool], work: Work) -> bool:
    """Whether the rest can be met after a candidate; asked once for all that are alike."""
    label = placing.labels[candidate]
    key = id(placing), placing.look_ahead(label)
    if key not in seen:
        seen[key] = placing.completes(label, place, work)
    return seen[key]


def _kinds(labels: Sequence[NDArray[np.intp]], count: int) -> NDArray[np.intp]:
    """Kind of each candidate [M]: those of one have all labels in common."""
    kinds = np.zeros(count, dtype=np.intp)
    most = 1
    for each in labels:
        wide = int(each.max(initial=-1)) + 2
        if most * wide > LARGEST:
            kinds, most = np.unique(kinds, return_inverse=True)[1].reshape(-1), count
        kinds, most = kinds * wide + each + 1, most * wide
    return kinds


def _chains(kinds: NDArray[np.intp]) -> tuple[list[int], Mask]:
    """The next candidate of each one's kind [M], -1 after the last, and a mask [M] of the first of each kind."""
    later, first = np.full(len(kinds), -1), np.ones(len(kinds), dtype=bool)
    by_kind = np.argsort(kinds, kind="stable")
    before, after = by_kind[:-1], by_kind[1:]
    same = kinds[before] == kinds[after]
    later[before[same]] = after[same]
    first[after[same]] = False
    listed: list[int] = later.tolist()
    return listed, first
