"""What estimators work on: chances of the logged lists under two policies, and what the model expects of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.exploration import Exploration
from ranker.fusion.exploration.batch import Walks, chances_by_draws, chances_by_sets, drawn_lists
from ranker.fusion.reranking.relevance import RELEVANCES
from training.off_policy.logged import Floats, Indices, Logged, Orders

ROWS = 65_536
"""Lists that are drawn at a time."""
CELLS = 4_000_000
"""Chances, of a candidate at a place, that are held at a time."""


@dataclass(frozen=True, eq=False)
class Model:
    """The reward that the model expects, by request and place [R, K], after fitting the mean of each place.

    Attributes
    ----------
    shown
        Of the candidate that was shown there.
    logging, target
        Of the candidate that the policy places there, on average over its lists.
    logging_next, target_next
        The same, given the candidates that were shown at the places before.
    """

    shown: Floats
    logging: Floats
    target: Floats
    logging_next: Floats
    target_next: Floats


@dataclass(frozen=True, eq=False)
class Sample:
    """R logged requests of K places under the logging policy and a target policy; a request may have fewer places.

    Attributes
    ----------
    rewards
        Rewards [R, K]; 0 at places that a request does not have.
    has
        Whether a request has the place [R, K].
    logging, target
        Probability of the shown candidate at its place given those before it, by policy [R, K].
    logging_at, target_at
        Probability of the shown candidate at its place, whatever is before it [R, K].
    outside
        Probability that the target policy draws a list that the logging policy never draws [R].
    outside_at
        Probability that it has a candidate at a place that the logging policy never has there [R, K].
    units
        The user of each request, from 0 [R].
    model
        What the model expects; ``None`` without a model.
    """

    rewards: Floats
    has: NDArray[np.bool_]
    logging: Floats
    target: Floats
    logging_at: Floats
    target_at: Floats
    outside: Floats
    outside_at: Floats
    units: Indices
    model: Model | None = None

    def __len__(self) -> int:
        return len(self.rewards)

    @property
    def observed(self) -> Floats:
        """Reward of each request [R]."""
        return np.asarray(self.rewards.sum(axis=1))


def compared(logged: Logged, logging: Orders, target: Orders, *, places: int, draws: int, seed: int) -> Sample:
    """Compare two policies on logged requests, in their first ``places`` places.

    Chances at a place, whatever is before it, are exact where that is cheap, and else from ``draws`` lists a request.
    For the logging policy the logged list is one of them, by which inverse chances are unbiased: the balance heuristic
    of Veach & Guibas 1995.
    """
    shown = np.minimum(logged.shown, places)
    places = int(shown.max(initial=1))
    has = np.arange(places) < shown[:, None]
    rewards = logged.by_place(logged.rewards, places)
    expected, factors = _expected(logged, rewards, has)
    shape = (len(logged), places)
    found = {name: np.zeros(shape) for name in _Block._fields if name != "outside"}
    outside = np.zeros(len(logged))
    for number, (requests, key) in enumerate(_alike(logged, logging, target, shown)):
        random = np.random.default_rng([seed, number])
        together = max(min(ROWS // draws, CELLS // (key.places * key.size)), 1)
        for part in np.array_split(requests, -(-len(requests) // together)):
            block = _block(logged, logging, target, part, key, expected, draws, random)
            count = block.logging.shape[1]
            for name, values in found.items():
                values[part, :count] = getattr(block, name)
            outside[part] = block.outside
    model = None
    if logged.model is not None:
        names = ("model_logging", "model_target", "model_logging_next", "model_target_next")
        model = Model(logged.by_place(expected, places) * factors, *(found.pop(name) * factors for name in names))
    chances = {name: np.where(has, found[name], 1.0) for name in ("logging", "target", "logging_at", "target_at")}
    return Sample(
        rewards, has, **chances, outside=outside, outside_at=found["outside_at"], units=logged.units, model=model
    )


def along_places(logged: Logged, orders: Orders) -> Floats:
    """Probability under a policy of each shown candidate at its place given those before it [R, K]; 1 beyond them."""
    places = int(logged.shown.max(initial=1))
    found = np.ones((len(logged), places))
    for requests, key in _alike(logged, orders, orders, logged.shown):
        for part in np.array_split(requests, -(-len(requests) // max(CELLS // (key.places * key.size), 1))):
            rows = logged.starts[part, None] + np.arange(key.size)
            side = _Side(orders, rows, key.logging_free, key.logging)
            found[part, : key.places] = side.chosen(np.tile(np.arange(key.places), (len(part), 1)))
    return found


class _Block(NamedTuple):
    """Results of B requests of K places: fields of ``Sample`` and ``Model``."""

    logging: Floats
    target: Floats
    logging_at: Floats
    target_at: Floats
    outside_at: Floats
    model_logging: Floats
    model_target: Floats
    model_logging_next: Floats
    model_target_next: Floats
    outside: Floats


class _Key(NamedTuple):
    """What requests of a block have in common: numbers of candidates, of places, of free ones, explorations."""

    size: int
    places: int
    logging_free: int
    target_free: int
    logging: int
    target: int


def _expected(logged: Logged, rewards: Floats, has: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The model's rewards [N], and a factor for each place [K] by which their means are those of the rewards."""
    if logged.model is None:
        return np.zeros(int(logged.starts[-1])), np.ones(has.shape[1])
    total = logged.by_place(logged.model, has.shape[1]).sum(axis=0)
    factors = np.divide(rewards.sum(axis=0), total, out=np.ones(len(total)), where=total != 0)
    return logged.model, factors


def _alike(logged: Logged, logging: Orders, target: Orders, shown: Indices) -> Iterator[tuple[Indices, _Key]]:
    """Requests of equal numbers of candidates and equal explorations."""
    keys = np.column_stack([logged.sizes, shown, logging.free, target.free, logging.explores, target.explores])
    unique, codes = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(codes.ravel(), kind="stable")
    for key, requests in zip(unique, np.split(order, np.cumsum(np.bincount(codes.ravel()))[:-1]), strict=True):
        yield requests, _Key(*key.tolist())


class _Side:
    """A policy on B requests of equal size."""

    def __init__(self, orders: Orders, rows: Indices, free: int, explores: int) -> None:
        self.exploration: Exploration | None = orders.explorations[explores]
        self.base: Indices = orders.base[rows]
        self.at_base = np.argsort(self.base, axis=1)
        self.free, self.count = free, rows.shape[1]
        self.fused: Floats = np.take_along_axis(orders.fused[rows], self.at_base[:, :free], axis=1)

    def taken(self, requests: NDArray[np.bool_] | Indices) -> "_Side":
        """Some of the requests, by a mask or by number."""
        side = _Side.__new__(_Side)
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

    def same(self, other: "_Side", places: int) -> NDArray[np.bool_]:
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


def _block(
    logged: Logged,
    logging: Orders,
    target: Orders,
    requests: Indices,
    key: _Key,
    expected: Floats,
    draws: int,
    random: np.random.Generator,
) -> _Block:
    rows = logged.starts[requests, None] + np.arange(key.size)
    ours = _Side(logging, rows, key.logging_free, key.logging)
    theirs = _Side(target, rows, key.target_free, key.target)
    lists = np.tile(np.arange(key.places), (len(rows), 1))
    values = expected[rows][:, :, None]
    chosen, every = ours.along(lists)
    at, exact = ours.at_places(key.places, draws, random)
    if not exact:
        at = (draws * at + every) / (draws + 1)
    other = ~ours.same(theirs, key.places)
    found = [chosen, every, at]
    target_chosen, target_every, target_at = (values.copy() for values in found)
    outside = np.zeros(len(rows))
    if other.any():
        part = theirs.taken(other)
        target_chosen[other], target_every[other] = part.along(lists[other])
        target_at[other] = part.at_places(key.places, draws, random)[0]
        outside[other] = _outside(ours.taken(other), part, key.places, draws, random)
    never = (target_at * (at <= 0)).sum(axis=2)
    here = (np.arange(len(rows))[:, None], np.arange(key.places), lists)
    return _Block(
        logging=chosen,
        target=target_chosen,
        logging_at=at[here],
        target_at=target_at[here],
        outside_at=never,
        model_logging=(at @ values)[..., 0],
        model_target=(target_at @ values)[..., 0],
        model_logging_next=(every @ values)[..., 0],
        model_target_next=(target_every @ values)[..., 0],
        outside=outside,
    )


def _outside(ours: _Side, theirs: _Side, places: int, draws: int, random: np.random.Generator) -> Floats:
    """Share [B] of the target policy's lists that the logging policy never draws."""
    count = 1 if theirs.exploration is None else draws
    requests = np.repeat(np.arange(len(ours.base)), count)
    lists = theirs.taken(requests).drawn(places, random)
    never = ours.taken(requests).chosen(lists)[:, -1] <= 0
    return np.asarray(never.reshape(-1, count).mean(axis=1))
