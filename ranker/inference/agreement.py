"""Agreement of a model's scores with the exact ones: how far they differ, and what that does to rankings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, Golden, difference
from ranker.engines import Engine
from ranker.fusion import DEFAULT, Candidates, Plan
from ranker.inference.pool import Sent, fusion_input
from ranker.metrics import ranking_agreement

TOP = 10
"""Ranks that are compared."""
MIN_NDCG = 0.999
"""Default bound of the NDCG below which scores are not accepted in place of the exact ones."""


@dataclass(frozen=True)
class Agreement:
    """How well scores and rankings agree with the exact ones, over R requests.

    Attributes
    ----------
    difference
        Largest difference of a score, as :func:`ranker.artifact.difference` defines it; infinite if one is not finite.
    ndcg
        Mean NDCG@10 of the rankings, with the exact fused score above the request's least as the gain.
    overlap
        Mean share of the exact top 10 in the top 10.
    requests
        R.
    fusion
        Name of the fusion by which ``ndcg`` and ``overlap`` are measured.
    """

    difference: float
    ndcg: float
    overlap: float
    requests: int
    fusion: str = DEFAULT

    def facts(self) -> dict[str, Any]:
        """As plain values, with ``null`` for an infinite difference."""
        worst = self.difference if np.isfinite(self.difference) else None
        return {**vars(self), "difference": worst}

    def __str__(self) -> str:
        return (
            f"NDCG@{TOP} {self.ndcg:.5f}, top-{TOP} overlap {self.overlap:.3f}, scores within {self.difference:.1e}, "
            f"{self.requests:,} requests"
        )


def measure(artifact: Artifact, engine: Engine, requests: Sequence[Golden]) -> Agreement:
    """Score requests of which the exact scores are known, and compare under each of the artifact's fusions.

    Rankings are those before re-ranking. ``ndcg`` and ``overlap`` are those of the fusion where ``ndcg`` is lowest, by
    :func:`ranking_agreement`; a request whose fused scores are all equal counts as 1. Both are 0 for a request with a
    score that is not finite. Raises ``ValueError`` without requests.
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
        for name, stored in artifact.fusions.items():
            plan = stored.without_reranking
            right, other = (plan.rank(fusion_input(artifact, plan, s, pool, context)) for s in (expected, scores))
            one = ranking_agreement(right.fused, right.order(), other.order(), TOP)
            found[name][number] = np.nan_to_num(one.ndcg, nan=1.0), one.recall
    means = {name: values.mean(axis=0) for name, values in found.items()}
    fusion = min(means, key=lambda name: float(means[name][0]))
    ndcg_at_10, overlap = means[fusion].tolist()
    return Agreement(worst, ndcg_at_10, overlap, len(requests), fusion)


def agreement(plan: Plan, exact: Candidates, scores: NDArray[np.floating]) -> Agreement:
    """Compare scores [N, T] with those of ``exact``, whose requests are ranked by ``plan``.

    As :func:`measure`, except that requests whose fused scores are all equal, such as those of one candidate, do not
    count for ``ndcg``; it is 1 if there are no others.
    """
    other = Candidates.of(plan.objectives, scores, exact.requests, exact.features)
    by_exact, by_other = (plan.without_reranking.rank(one) for one in (exact, other))
    rows = np.argsort(exact.requests.codes, kind="stable")
    ends = np.cumsum(np.bincount(exact.requests.codes, minlength=exact.requests.count))
    found = []
    for members in np.split(rows, ends[:-1]):
        right, ranked = by_exact.taken(members), by_other.taken(members)
        found.append(ranking_agreement(right.fused, right.order(), ranked.order(), TOP))
    ndcgs = [each.ndcg for each in found if not np.isnan(each.ndcg)]
    return Agreement(
        difference=difference(np.asarray(scores), exact.scores),
        ndcg=float(np.mean(ndcgs)) if ndcgs else 1.0,
        overlap=float(np.mean([each.recall for each in found])),
        requests=exact.requests.count,
    )
