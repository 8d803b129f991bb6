"""Runs re-ranking steps on the candidates of one request."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ranker.fusion.reranking.arrange import arrange
from ranker.fusion.reranking.base import Constraint, Diversifier, Indices, Request, Step


@dataclass(frozen=True, eq=False)
class Reranked:
    """Result of re-ranking the M movable candidates of a request.

    Attributes
    ----------
    order
        Places of the candidates in fused order, in their new order [M].
    moves
        By step, how many places up (down if negative) it moved each candidate [M], in fused order; only if asked for.
        They add up to the whole move.
    gave_way
        By constraint that does not hold, what is broken, and why.
    """

    order: Indices
    moves: Mapping[str, Indices]
    gave_way: Mapping[str, str]


def rerank(steps: Mapping[str, Step], request: Request, *, explained: bool = False) -> Reranked:
    """Run all steps: diversifiers in order, then all constraints together.

    ``explained`` also computes by how much each step moved each candidate. A constraint's share is that of adding it to
    those declared before it. Raises ``FusionError`` for a feature that is missing or has values of a wrong type.
    """
    order = np.arange(len(request))
    if not len(order):
        return Reranked(order, {name: order for name in steps if explained}, {})
    moves: dict[str, Indices] = {}

    def moved(name: str, new: Indices) -> None:
        if explained:
            moves[name] = _places(order) - _places(new)

    for name, step in steps.items():
        if isinstance(step, Diversifier):
            new = _to_front(order, step.picks(request, order[: step.consider]))
            moved(name, new)
            order = new
    constraints = {name: step for name, step in steps.items() if isinstance(step, Constraint)}
    diversified = order
    gave_way: dict[str, str] = {}
    for count in range(1, len(constraints) + 1) if explained else [len(constraints)] if constraints else []:
        chosen = dict(list(constraints.items())[:count])
        new, gave_way = _constrained(chosen, request, diversified)
        moved(list(chosen)[-1], new)
        order = new
    return Reranked(order, {name: moves[name] for name in steps} if explained else {}, gave_way)


def _constrained(
    constraints: Mapping[str, Constraint], request: Request, order: Indices
) -> tuple[Indices, dict[str, str]]:
    looked_at = np.zeros(len(order), dtype=bool)
    looked_at[np.concatenate([step.reach(request, order) for step in constraints.values()])] = True
    pool = order[looked_at[order]]
    placings = {name: step.placing(request, pool) for name, step in constraints.items()}
    found = arrange(list(placings.values()), len(pool))
    arranged = _to_front(np.arange(len(pool)), np.array(found.picks, dtype=np.intp))
    gave_way: dict[str, str] = {}
    states = zip(placings.items(), found.required, found.given_up, strict=True)
    for number, ((name, placing), held, given_up) in enumerate(states):
        labels = [placing.labels[candidate] for candidate in arranged.tolist()]
        if (broken := placing.broken(labels)) is not None:
            reasons = ["the candidates do not allow it"] if placing.relaxed else []
            if given_up:
                reasons.append("no list was found that meets it" + (" and the steps before it" if number else ""))
            elif not held:
                reasons.append("it yields to the steps before it" if number else "no list meets it")
            gave_way[name] = f"{broken}: {', and '.join(reasons)}"
    return _to_front(order, pool[arranged]), gave_way


def _to_front(order: Indices, picks: Indices) -> Indices:
    """The picks first, the others after them in their order."""
    taken = np.zeros(len(order), dtype=bool)
    taken[picks] = True
    return np.concatenate([picks, order[~taken[order]]])


def _places(order: Indices) -> Indices:
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places
