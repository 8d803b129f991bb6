"""What re-ranking cost and gained in the first places of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ranker.fusion.base import Floats
from ranker.fusion.reranking.base import Indices, Request, Step
from ranker.fusion.reranking.run import Reranked
from ranker.fusion.reranking.similarity import Similarity, similar

PLACES = 10
"""First places that a cost is about, unless fewer are asked for."""


@dataclass(frozen=True)
class Cost:
    """Cost and gain in the first ``places`` places.

    Attributes
    ----------
    places
        K, at most the number of candidates that can be moved.
    fused_before, fused_after
        Mean fused score of the first K before and after; 0 without candidates.
    distance_before, distance_after
        By features that a step compares candidates by, such as ``genre`` or ``genre, price``, the intra-list distance:
        the mean of 1 - similarity over the pairs of the first K; 0 below two candidates.
    gave_way
        By constraint that does not hold, what is broken, and why.
    """

    places: int
    fused_before: float
    fused_after: float
    distance_before: Mapping[str, float]
    distance_after: Mapping[str, float]
    gave_way: Mapping[str, str]

    def facts(self) -> dict[str, Any]:
        """As plain data for answers, with what was lost and gained."""
        return {
            "places": self.places,
            "fused": {
                "before": self.fused_before,
                "after": self.fused_after,
                "lost": self.fused_before - self.fused_after,
            },
            "distance": {
                name: {
                    "before": before,
                    "after": self.distance_after[name],
                    "gained": self.distance_after[name] - before,
                }
                for name, before in self.distance_before.items()
            },
            "gave_way": dict(self.gave_way),
        }


def cost(steps: Mapping[str, Step], request: Request, reranked: Reranked, places: int = PLACES) -> Cost:
    """Cost and gain of re-ranking a request in the first ``places`` places, at least 1."""
    before, after = np.arange(len(request))[:places], reranked.order[:places]
    distances: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for names in dict.fromkeys(step.compared for step in steps.values() if step.compared):
        either = np.union1d(before, after)
        similarity = similar(names, request, either)
        for found, first in zip(distances, (before, after), strict=True):
            found[", ".join(names)] = intra_list_distance(similarity, np.searchsorted(either, first))
    was, now = (float(request.fused[first].mean()) if len(first) else 0.0 for first in (before, after))
    return Cost(len(before), was, now, *distances, gave_way=reranked.gave_way)


def intra_list_distance(similarity: Similarity, members: Indices) -> float:
    """Mean of 1 - similarity over the pairs of some candidates; 0 below two of them."""
    count = len(members)
    if count < 2:
        return 0.0
    total = sum(_apart(similarity, members, i) for i in range(count))
    return float(total / (count * (count - 1)))


def _apart(similarity: Similarity, members: Indices, i: int) -> float:
    """Sum of distances of one member to all others."""
    row: Floats = 1.0 - similarity.row(int(members[i]))[members]
    row[i] = 0.0
    return float(row.sum())
