"""Agreement of another engine's rankings with those of the exported 32-bit scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, Golden, difference
from ranker.engines import Engine
from ranker.fusion.plan import Ranked
from ranker.inference.pool import Sent, fusion_input

TOP = 10


@dataclass(frozen=True)
class Agreement:
    """How well scores and rankings agree with the exported ones, over R requests.

    Attributes
    ----------
    difference
        Largest difference of a score, as :func:`ranker.artifact.difference` defines it; infinite if one is not finite.
    ndcg
        Mean :func:`ndcg` at 10 over the requests, under the artifact's fusion where it is lowest.
    overlap
        Mean :func:`overlap` of the top 10 over the requests, under the same fusion.
    fusion
        Name of that fusion.
    requests
        R.
    """

    difference: float
    ndcg: float
    overlap: float
    fusion: str
    requests: int

    def facts(self) -> dict[str, Any]:
        """As plain values, with ``null`` for an infinite difference."""
        worst = self.difference if np.isfinite(self.difference) else None
        return {**vars(self), "difference": worst}

    def __str__(self) -> str:
        return (
            f"NDCG@{TOP} {self.ndcg:.5f}, top-{TOP} overlap {self.overlap:.3f}, scores within {self.difference:.1e}, "
            f"{self.requests} requests"
        )


def measure(artifact: Artifact, engine: Engine, requests: Sequence[Golden]) -> Agreement:
    """Score requests of which the exported scores are known, and compare under each of the artifact's fusions.

    Raises ``ValueError`` without requests.
    """
    if not requests:
        raise ValueError("agreement needs at least one request")
    worst, found = 0.0, {name: np.zeros((len(requests), 2)) for name in artifact.fusions}
    for number, request in enumerate(requests):
        context = {name: [value] for name, value in request.context.items()}
        pool = Sent(artifact, request.candidates)
        scores = engine.score(pool.packed(context))
        expected = np.array([request.scores[task] for task in artifact.manifest.tasks], dtype=np.float32).T
        if not np.isfinite(scores).all():
            worst = np.inf  # nothing can be ranked: agreement stays 0
            continue
        worst = max(worst, difference(scores, expected))
        for name, plan in artifact.fusions.items():
            right, other = (plan.rank(fusion_input(artifact, plan, s, pool, context)) for s in (expected, scores))
            found[name][number] = ndcg(right, other), overlap(right, other)
    means = {name: values.mean(axis=0) for name, values in found.items()}
    fusion = min(means, key=lambda name: float(means[name][0]))
    ndcg_at_10, overlap_at_10 = means[fusion].tolist()
    return Agreement(worst, ndcg_at_10, overlap_at_10, fusion, len(requests))


def ndcg(reference: Ranked, other: Ranked, k: int = TOP) -> float:
    """NDCG@k of a ranking of N candidates, with the reference's fused scores as gains; in [0, 1].

    ::

        gain[i] = fused[i] - min(fused)        over the candidates that the reference neither drops nor ranks last;
                                               0 for the others
        DCG(order) = sum over ranks r = 1..k of gain[order[r]] / log2(1 + r)
        NDCG = DCG(the other's order) / DCG(the reference's order)

    The shift makes gains of negative fused scores non-negative; the result does not depend on their scale. It is 1 if
    all gains are 0, since then no order is better. Infinite fused scores count as the nearest finite one.
    """
    gains = _gains(reference)
    ideal = _dcg(gains[reference.order(k)])
    return _dcg(gains[other.order(k)]) / ideal if ideal > 0 else 1.0


def overlap(reference: Ranked, other: Ranked, k: int = TOP) -> float:
    """Share of the reference's k best candidates that are among the other's k best; 1 if it has none."""
    best = reference.order(k)
    return float(np.isin(best, other.order(k)).mean()) if len(best) else 1.0


def _gains(reference: Ranked) -> NDArray[np.float64]:
    kept = ~(reference.last | reference.dropped)
    finite = reference.fused[kept & np.isfinite(reference.fused)]
    if not len(finite):
        return np.zeros(len(reference.fused))
    fused = np.clip(np.nan_to_num(reference.fused, nan=finite.min()), finite.min(), finite.max())
    return np.where(kept, fused - finite.min(), 0.0)


def _dcg(gains: NDArray[np.float64]) -> float:
    """DCG of gains in ranked order."""
    return float((gains / np.log2(2.0 + np.arange(len(gains)))).sum())
