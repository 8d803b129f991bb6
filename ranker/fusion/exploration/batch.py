"""Exploration of many requests at once: chances along given lists, and of each candidate at each place."""

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats
from ranker.fusion.exploration.base import Exploration
from ranker.fusion.reranking.relevance import RELEVANCES

Indices = NDArray[np.intp]

MOST_SETS = 500
"""Chances are exact while there are no more sets of candidates than these that may fill the first places."""


class Walks:
    """Fills the places of B requests one after the other, as ``draw`` does for one request.

    Parameters
    ----------
    exploration
        How places are drawn; ``None`` for the order before exploration.
    fused
        Fused scores [B, S] of the S >= 1 candidates that may be drawn, in any order.
    count
        Number of candidates, at least S; those after the first S keep their order.
    places
        Number of places that will be filled, at most ``count``.
    """

    def __init__(self, exploration: Exploration | None, fused: Floats, count: int, places: int) -> None:
        self._exploration, self._size = exploration, fused.shape[1]
        self._first = 0 if exploration is None else min(exploration.first, self._size)
        self._place = 0
        reach = 0 if exploration is None else min(exploration.reach, self._size)
        self._left: Indices = np.tile(np.arange(min(count, max(places, reach))), (len(fused), 1))
        self._relevance: Floats = np.zeros(self._left.shape)
        if exploration is not None:
            best = np.sort(fused, axis=1)[:, ::-1][:, :reach]
            self._relevance[:, :reach] = RELEVANCES[exploration.relevance](best)

    @property
    def width(self) -> int:
        """Number of candidates that can be at one of the places: the first of the order before exploration."""
        return int(self._left.shape[1]) + self._place

    def next(self) -> tuple[Indices, Floats]:
        """Candidates [B, C] that may take the next place, and their chances [B, C].

        Candidates are told by their place before exploration, from 0.
        """
        if self._exploration is None or self._place >= self._first:
            return self._left[:, :1], np.ones((len(self._left), 1))
        count = min(self._place + 1 + self._exploration.max_move, self._size) - self._place
        chances = self._exploration.chances(self._relevance[:, :count])
        late = self._left[:, 0] + self._exploration.max_move <= self._place  # they cannot be placed later
        chances[late] = np.arange(count) == 0
        return self._left[:, :count], chances

    def take(self, picked: Indices) -> None:
        """Give the next place to the candidates at positions [B] of those that may take it."""
        rest = np.arange(self._left.shape[1]) != picked[:, None]
        shape = (len(self._left), self._left.shape[1] - 1)
        self._left, self._relevance = self._left[rest].reshape(shape), self._relevance[rest].reshape(shape)
        self._place += 1

    def drawn(self, uniforms: Floats, chances: Floats) -> Indices:
        """Positions [B] drawn by ``chances`` [B, C] with numbers [B] in [0, 1)."""
        total = np.cumsum(chances, axis=1)
        picked = (total <= uniforms[:, None] * total[:, -1:]).sum(axis=1)
        last = chances.shape[1] - 1 - (chances[:, ::-1] > 0).argmax(axis=1)
        return np.asarray(np.minimum(picked, last), dtype=np.intp)


def chances_by_sets(exploration: Exploration, fused: Floats, count: int, places: int) -> Floats | None:
    """Exact probability [B, places, W] of each candidate at each place; ``None`` if it would take too long.

    Chances depend on which candidates are at the places before, not on their order, so that sets of candidates suffice.
    Arguments are those of :class:`Walks`, whose ``width`` is W.
    """
    size = fused.shape[1]
    first, move = min(exploration.first, size), exploration.max_move
    reach = min(exploration.reach, size)
    relevance = RELEVANCES[exploration.relevance](np.sort(fused, axis=1)[:, ::-1][:, :reach])
    width = min(count, max(places, reach))
    found = np.zeros((len(fused), places, width))
    sets = {0: np.ones(len(fused))}
    for place in range(places):
        following: dict[int, Floats] = {}
        for taken, chance in sets.items():
            end = min(place + 1 + move, size) if place < first else width
            left = [candidate for candidate in range(end) if not taken >> candidate & 1]
            if place >= first or left[0] + move <= place:
                left, chances = left[:1], np.ones((len(fused), 1))
            else:
                chances = exploration.chances(relevance[:, left])
            for i, candidate in enumerate(left):
                part = chance * chances[:, i]
                if part.any():
                    found[:, place, candidate] += part
                    grown = taken | 1 << candidate
                    following[grown] = following[grown] + part if grown in following else part
        if len(following) > MOST_SETS and place + 1 < places:
            return None
        sets = following
    return found


def chances_by_draws(
    exploration: Exploration, fused: Floats, count: int, places: int, draws: int, random: np.random.Generator
) -> Floats:
    """Unbiased estimate [B, places, W] of the probability of each candidate at each place, from drawn lists.

    The first place is exact: at each place, the chances given the drawn candidates before it are averaged.
    Arguments are those of :class:`Walks`, and the number of draws.
    """
    requests = np.repeat(np.arange(len(fused)), draws)
    walks = Walks(exploration, fused[requests], count, places)
    width = walks.width
    found = np.zeros((len(fused), places, width))
    for place in range(places):
        may, chances = walks.next()
        cells = (requests[:, None] * width + may).ravel()
        total = np.bincount(cells, chances.ravel(), len(fused) * width)
        found[:, place] = total.reshape(len(fused), width) / draws
        walks.take(walks.drawn(random.random(len(requests)), chances))
    return found


def drawn_lists(
    exploration: Exploration | None, fused: Floats, count: int, places: int, random: np.random.Generator
) -> Indices:
    """Lists [B, places] of candidates by their place before exploration, one drawn for each request."""
    walks = Walks(exploration, fused, count, places)
    lists = np.empty((len(fused), places), dtype=np.intp)
    for place in range(places):
        may, chances = walks.next()
        picked = walks.drawn(random.random(len(fused)), chances)
        lists[:, place] = np.take_along_axis(may, picked[:, None], axis=1)[:, 0]
        walks.take(picked)
    return lists
