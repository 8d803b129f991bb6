"""Exploration of a ranking: the places of its first tier are drawn at random."""

from dataclasses import replace

import numpy as np

from ranker.fusion.exploration import Exploration, draw
from ranker.fusion.ranked import Ranked


def explored(exploration: Exploration, ranked: Ranked, seed: str) -> Ranked:
    """Draw the order of one request's candidates, given their ranking before exploration.

    Only candidates of the first tier that has any are drawn, so that none rises above a floor or above candidates that
    only the student scored. Raises ``FusionError`` for NaN.
    """
    ranked.require_numbers()
    order = ranked.order()
    base_place = np.zeros(len(ranked.fused), dtype=np.intp)
    base_place[order] = np.arange(1, len(order) + 1)
    propensity = np.where(base_place > 0, 1.0, 0.0)
    tiers = ranked.tiers[order]
    first = order[tiers == tiers[:1]] if len(order) else order
    fused = np.sort(ranked.fused[first])[::-1]
    drawn = draw(exploration, fused, seed)
    new = first[drawn.order]
    propensity[new] = drawn.propensity
    changed = np.flatnonzero(drawn.order != np.arange(len(new)))
    before = 0 if ranked.front is None else int(ranked.front.max(initial=0))
    last = max(int(changed[-1]) + 1 if len(changed) else 0, before)
    front, replaced = np.zeros_like(base_place), ranked.fused.copy()
    front[new[:last]] = np.arange(1, last + 1)
    replaced[new[:last]] = fused[:last]
    return replace(ranked, front=front, replaced=replaced, base_place=base_place, propensity=propensity)
