"""Agreement of two services' answers to one request."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ranker.metrics import ranking_agreement


def ndcg_at_10(request: Mapping[str, Any], full: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """NDCG@10 of another ranking with the full ranking's fused scores as gains, as ``ranking_agreement`` defines it."""
    places = {item: place for place, item in enumerate(request["candidates"]["item_0"])}
    reference, ranking = (np.array([places[item] for item in answer["ids"]]) for answer in (full, other))
    fused = np.zeros(len(places))
    fused[reference] = full["fused"]
    return ranking_agreement(fused, reference, ranking).ndcg
