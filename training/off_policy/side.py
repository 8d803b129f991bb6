"""One policy on requests of equal size: its chances along lists, and of each candidate at each place."""

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.exploration import Exploration
from ranker.fusion.exploration.batch import Walks, chances_by_draws, chances_by_sets, drawn_lists
from ranker.fusion.reranking.relevance import RELEVANCES
from training.off_policy.logged import Floats, Indices, Orders


class Side:
    """A policy on B requests of equal size."""

    def __init__(self, orders: Orders, rows: Indices, free: int, explores: int) -> None:
        self.exploration: Exploration | None = orders.explorations[explores]
        self.base: Indices = orders.base[rows]
        self.at_base = np.argsort(self.base, axis=1)
        self.free, self.count = free, rows.shape[1]
        self.fused: Floats = np.take_along_axis(orders.fused[rows], self.at_base[:, :free], axis=1)

    def taken(self, requests: NDArray[np.bool_] | Indices) -> "Side":
        """Some of the requests, by a mask or by number."""
        side = Side.__new__(Side)
        side.exploration, side.free, side.count = self.exploration, self.free, self.count
        side.base, side.at_base, side.fused = self.base[requests], self.at_base[requests], self.fused[requests]
        return side

    def chosen(self, lists: Indices, every: Floats | None = None) -> Floats:
        """Chance [B, K] of each row of lists [B, K] at its place; ``every`` [B, K, M] takes those of all rows."""
        wanted = np.take_along_axis(self.base, lists, axis=1)
        walks = Walks(self.exploration, self.fused, self.count, lists.shape[1])
        found = np.zeros(lists.shape)
        alive = np.ones(len(lists), dtype=bool)
        for place in range(lists.shape[1]):
            may, chances = walks.next()
            here = may == wanted[:, place, None]
            found[:, place] = (chances * here).sum(axis=1) * alive
            if every is not None:
                np.put_along_axis(every[:, place], np.take_along_axis(self.at_base, may, axis=1), chances, axis=1)
            alive &= found[:, place] > 0
            walks.take(here.argmax(axis=1))
        return found

    def along(self, lists: Indices) -> tuple[Floats, Floats]:
        """Chances along lists [B, K] of rows: of the row at its place [B, K], and of every row there [B, K, M]."""
        every = np.zeros((*lists.shape, self.count))
        return self.chosen(lists, every), every

    def at_places(self, places: int, draws: int, random: np.random.Generator) -> tuple[Floats, bool]:
        """Chance of every row at each place [B, K, M], and whether it is exact."""
        every = np.zeros((len(self.base), places, self.count))
        if self.exploration is None:
            every[np.arange(len(every))[:, None], np.arange(places), self.at_base[:, :places]] = 1.0
            return every, True
        ends = (self.exploration, self.fused, self.count, places)
        found = chances_by_sets(*ends)
        exact = found is not None
        if found is None:
            found = chances_by_draws(*ends, draws, random)
        width = found.shape[2]
        np.put_along_axis(every, np.broadcast_to(self.at_base[:, None, :width], found.shape), found, axis=2)
        return every, exact

    def drawn(self, places: int, random: np.random.Generator) -> Indices:
        """A list of rows [B, K] for each request."""
        lists = drawn_lists(self.exploration, self.fused, self.count, places, random)
        return np.take_along_axis(self.at_base, lists, axis=1)

    def same(self, other: "Side", places: int) -> NDArray[np.bool_]:
        """Whether both policies draw each list with the same chance, by request [B]."""
        if self.exploration != other.exploration:
            return np.zeros(len(self.base), dtype=bool)
        if self.exploration is None:
            return np.asarray((self.at_base[:, :places] == other.at_base[:, :places]).all(axis=1))
        if self.free != other.free:
            return np.zeros(len(self.base), dtype=bool)
        reach, relevance = self.exploration.reach, RELEVANCES[self.exploration.relevance]
        one, two = (relevance(np.sort(side.fused, axis=1)[:, ::-1][:, :reach]) for side in (self, other))
        return np.asarray((self.base == other.base).all(axis=1) & np.isclose(one, two, rtol=0, atol=1e-9).all(axis=1))
