"""Draws an order of candidates with the propensity of each place, and computes the propensities of a given order."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats
from ranker.fusion.exploration.base import Exploration
from ranker.fusion.reranking.relevance import RELEVANCES

Indices = NDArray[np.intp]


class Drawn(NamedTuple):
    """An order of M candidates."""

    order: Indices
    """Their places before exploration, from 0, in the new order [M]."""
    propensity: Floats
    """Probability of each candidate at its new place given those at the places before it [M], in the new order.

    It is 1 from place ``first + 1`` on. The product over the places is the probability of the list.
    """


def draw(exploration: Exploration, fused: Floats, seed: str) -> Drawn:
    """Draw an order of M candidates, given their fused scores [M].

    The best score counts for the first place before exploration, and so on, even if re-ranking put another candidate
    there: exploration starts from the re-ranked order. The same seed, such as the request's id, gives the same order on
    every host.
    """
    walk = _Walk(exploration, fused)
    for uniform in uniforms(seed, walk.places):
        _, chances = walk.next()
        sums = chances.cumsum()
        picked = int(sums.searchsorted(uniform * sums[-1], side="right"))
        if picked == len(chances):  # by rounding: the last that can be drawn
            picked = int(np.flatnonzero(chances)[-1])
        walk.take(chances, picked)
    return walk.drawn()


def propensities(exploration: Exploration, fused: Floats, order: Sequence[int] | Indices) -> Floats:
    """Propensities of the first places of a given order, as in :class:`Drawn`; 0 if it cannot be drawn.

    ``fused`` [M] are as in :func:`draw`, and ``order`` [K] are places before exploration, from 0, K <= M.
    From the first impossible place on all are 0.
    """
    walk = _Walk(exploration, fused)
    found = np.zeros(len(order))
    rest: Iterator[int] | None = None
    for place, candidate in enumerate(order):
        if place >= walk.places:
            rest = rest or iter(walk.drawn().order[walk.places :].tolist())
            if next(rest) != candidate:
                break
            found[place] = 1.0
            continue
        may, chances = walk.next()
        at = int(np.searchsorted(may, candidate))
        if at == len(may) or may[at] != candidate or not chances[at] > 0:
            break
        walk.take(chances, at)
        found[place] = chances[at]
    return found


def uniforms(seed: str, count: int) -> list[float]:
    """Numbers [count] in [0, 1) from a seed: SHAKE-128 (FIPS 202), equal on every host and in every release."""
    digest = hashlib.shake_128(b"explore\0" + seed.encode("utf-8", "surrogatepass")).digest(8 * count)
    return [(int.from_bytes(digest[i : i + 8], "big") >> 11) / 2**53 for i in range(0, 8 * count, 8)]


class _Walk:
    """Fills the places one after the other."""

    def __init__(self, exploration: Exploration, fused: Floats) -> None:
        self._exploration, self._count = exploration, len(fused)
        self.places = min(exploration.first, self._count)
        """Number of places that are drawn."""
        relevance = RELEVANCES[exploration.relevance](np.sort(fused)[::-1][: exploration.reach])
        self._relevance: Floats = relevance
        self._left = np.arange(len(relevance))
        self._taken: list[int] = []
        self._propensity: list[float] = []

    def next(self) -> tuple[Indices, Floats]:
        """The candidates that may take the next place, in the order before exploration, and their chances."""
        place, move = len(self._taken), self._exploration.max_move
        if self._left[0] + move <= place:  # it cannot be placed later
            return self._left[:1], np.ones(1)
        # All that are taken are among the first place + move + 1, and as many as there are places before.
        may = self._left[: move + 1]
        return may, self._exploration.chances(self._relevance[may])

    def take(self, chances: Floats, picked: int) -> None:
        """Give the next place to one of the candidates that may take it."""
        self._taken.append(int(self._left[picked]))
        self._propensity.append(float(chances[picked]))
        self._left = np.concatenate([self._left[:picked], self._left[picked + 1 :]])

    def drawn(self) -> Drawn:
        """The order, once all places are filled."""
        left = np.ones(self._count, dtype=bool)
        left[self._taken] = False
        order = np.concatenate([np.array(self._taken, dtype=np.intp), np.flatnonzero(left)])
        propensity = np.ones(self._count)
        propensity[: len(self._taken)] = self._propensity
        return Drawn(order, propensity)
