"""What users do with the lists that they are shown, drawn and in expectation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulator.behaviour import Response, draw_labels
from training.simulator.population import Floats, Ints
from training.simulator.world import OBJECTIVES, UTILITY, Values, World

NO_ITEM = -1
"""In a list of items: the list has ended."""


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses to R lists of K places.

    Attributes
    ----------
    items : [R, K]
        The items shown, ``NO_ITEM`` beyond the end of a list.
    labels
        What users did by objective, each [R, K]: 0 or 1, and seconds for ``watch_time``.
    collected
        The true expectation of each objective's total [R] over the list.
    utility : [R]
        The true expected utility of the list: ``collected``, weighed by ``UTILITY``.
    best : [R]
        The utility of the best list of as many places from the visit's candidates.
    """

    items: Ints
    labels: Mapping[str, npt.NDArray[np.number]]
    collected: Mapping[str, Values]
    utility: Values
    best: Values


def respond(world: World, users: Ints, candidates: Ints, chance: Floats, items: Ints) -> Responses:
    """Responses of users [R] to lists [R, K] of their candidates [R, N], with uniform numbers [5, R, N].

    Place k is examined with the world's ``position_bias``, and nothing is done with an item that is not examined.
    Raises ``ValueError`` for a list that holds an item twice, or one that is no candidate.
    """
    order = places(candidates, items)
    listed = items != NO_ITEM
    discount = world.config.examination(items.shape[1])
    response, duration = world.responses(users[:, None], candidates)
    expected = world.expected(users[:, None], candidates)
    utility = np.asarray(sum(weight * expected[name] for name, weight in UTILITY.items()))
    best = -np.sort(-utility, axis=1)[:, : items.shape[1]] @ discount[: candidates.shape[1]]
    shown = {name: np.where(listed, np.take_along_axis(expected[name], order, axis=1), 0.0) for name in OBJECTIVES}
    collected = {name: values @ discount for name, values in shown.items()}
    return Responses(
        items=items,
        labels=draw_labels(
            Response(*(np.take_along_axis(each, order, axis=1) for each in response)),
            np.take_along_axis(duration, order, axis=1).astype(np.float32),
            np.where(listed, discount, 0.0),
            np.take_along_axis(chance, order[None], axis=2),
        ),
        collected=collected,
        utility=np.asarray(sum(weight * collected[name] for name, weight in UTILITY.items())),
        best=best,
    )


def places(candidates: Ints, items: Ints) -> Ints:
    """Index [R, K] among candidates [R, N] of each listed item; 0 for ``NO_ITEM``. Raises ``ValueError``."""
    order = np.argsort(candidates, axis=1)
    width = candidates.shape[1]
    offset = np.arange(len(candidates))[:, None] * (int(candidates.max(initial=0)) + 2)
    line = (np.take_along_axis(candidates, order, axis=1) + offset).ravel()
    wanted = items + offset
    at = np.minimum(np.searchsorted(line, wanted), line.size - 1) if line.size else np.zeros_like(items)
    listed = items != NO_ITEM
    if (wrong := listed & ((items < 0) | (line[at] != wanted) | (at // width != np.arange(len(items))[:, None]))).any():
        row, place = (int(each[0]) for each in np.nonzero(wrong))
        raise ValueError(f"list {row} holds the item {items[row, place]}, which is no candidate of its request")
    found = np.sort(np.where(listed, at, -1 - np.arange(items.shape[1])), axis=1)
    if (same := (found[:, 1:] == found[:, :-1])).any():
        row = int(np.nonzero(same)[0][0])
        raise ValueError(f"list {row} holds an item twice: {items[row].tolist()}")
    return np.where(listed, order.ravel()[np.where(listed, at, 0)], 0)
