"""Small worlds of which every list can be told, with its probability."""

from collections.abc import Callable
from itertools import permutations

import numpy as np

from ranker.fusion.exploration import Exploration, PlackettLuce, propensities
from training.off_policy.logged import Logged, Orders

ITEMS, PLACES = 4, 3
LOGGING = np.array([1.0, 0.7, 0.4, 0.2])
"""Fused scores of the items by the logging policy."""
TARGET = np.array([0.3, 0.9, 0.2, 1.0])
WORTH = np.array([0.1, 0.5, 0.2, 0.8])
SOFT = PlackettLuce(kind="plackett_luce", temperature=0.6, first=4, max_move=4)
LISTS = list(permutations(range(ITEMS)))


def orders(lists: np.ndarray, fused: np.ndarray, exploration: Exploration | None) -> Orders:
    """A policy with the same scores [M] for each of the requests, which showed lists [R, M] of items."""
    place = np.argsort(np.argsort(-fused, kind="stable"), kind="stable")
    count = len(lists)
    return Orders(
        place[lists].ravel(),
        fused[lists].ravel(),
        np.full(count, lists.shape[1]),
        (exploration,),
        np.zeros(count, dtype=np.intp),
    )


def logged(lists: np.ndarray, rewards: np.ndarray, model: bool = True, units: np.ndarray | None = None) -> Logged:
    """Requests that showed the first places of lists [R, M] of items, with rewards [R, K]."""
    count, size = lists.shape
    padded = np.zeros((count, size))
    padded[:, : rewards.shape[1]] = rewards
    return Logged(
        starts=np.arange(count + 1) * size,
        units=np.arange(count) if units is None else units,
        shown=np.full(count, rewards.shape[1]),
        candidates=np.full(count, size),
        rewards=padded.ravel(),
        model=(WORTH + 0.1)[lists].ravel() if model else None,
    )


def chances(fused: np.ndarray, exploration: Exploration | None) -> np.ndarray:
    """Probability of each of ``LISTS``."""
    by_score = np.argsort(-fused, kind="stable")
    place = np.argsort(by_score)
    if exploration is None:
        return np.array([float(list(one) == by_score.tolist()) for one in LISTS])
    return np.array([np.prod(propensities(exploration, fused[by_score], place[list(one)])) for one in LISTS])


def place_reward(items: tuple[int, ...]) -> np.ndarray:
    """Rewards of places that depend on the place and its item."""
    return WORTH[list(items[:PLACES])] / np.arange(1, PLACES + 1)


def cascade_reward(items: tuple[int, ...]) -> np.ndarray:
    """Rewards of places that also depend on the items before: a user who is content stops."""
    worth = WORTH[list(items[:PLACES])]
    return worth * np.cumprod(np.insert(1.0 - worth, 0, 1.0))[:-1]


def list_reward(items: tuple[int, ...]) -> np.ndarray:
    """Rewards of places that also depend on the items after: the best of the list takes it all."""
    worth = WORTH[list(items[:PLACES])]
    return worth * (worth == worth.max())


def every_list(reward: Callable[[tuple[int, ...]], np.ndarray], model: bool = True) -> tuple[np.ndarray, Logged]:
    """One request for each of ``LISTS``."""
    lists = np.array(LISTS)
    return lists, logged(lists, np.array([reward(one) for one in LISTS]), model)
