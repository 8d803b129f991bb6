"""Measures how far rankings in two stages agree with those of the full model, and what they cost."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import fusion_digest
from ranker.encoding import Packed
from ranker.engines import Engine
from ranker.fusion import Candidates, FusionError, Plan
from ranker.inference.cascade import LEAST, Sifted, chosen, kept
from ranker.log_files.log_reader import DataError
from ranker.metrics import RankingAgreement, ranking_agreement
from ranker.student import TOP, Agreement, FusionAgreement, Point
from training.distillation.lists import CandidateList

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
TIMED, REPEATS = 5, 7
"""Lists whose scoring is timed, and how often each."""


@dataclass(frozen=True, eq=False)
class ScoredList:
    """A list with both models' scores [N, T]."""

    full: NDArray[np.float32]
    student: NDArray[np.float32]
    features: Mapping[str, NDArray[Any]]


def scored(lists: Iterable[CandidateList], full: Engine, student: Engine) -> list[ScoredList]:
    """Score lists by both models."""
    return [ScoredList(full.score(one.packed), student.score(one.packed), one.features) for one in lists]


def measured(
    kind: Literal["sampled", "logged"],
    lists: Sequence[ScoredList],
    plan: Plan,
    keep: float,
    costs: Mapping[float, float] | None = None,
) -> Agreement | None:
    """Agreement at ``SHARES`` and ``keep`` for a fusion; ``None`` without lists. ``costs`` are by share.

    NDCG is over the lists of which candidates are left out, except at the share 1, where it is 1.
    """
    if not lists:
        return None
    points = []
    for share in shares(keep):
        count = [_kept(kind, len(one.full), share) for one in lists]
        found = [_compared(plan, one, k) for one, k in zip(lists, count, strict=True)]
        cut = [share == 1 or k < len(one.full) for one, k in zip(lists, count, strict=True)]
        ndcgs = [each.ndcg for each, counts in zip(found, cut, strict=True) if counts and not np.isnan(each.ndcg)]
        points.append(
            Point(
                share=share,
                kept=float(np.mean([k / len(one.full) for one, k in zip(lists, count, strict=True)])),
                ndcg=float(np.mean(ndcgs)) if ndcgs else None,
                recall=float(np.mean([each.recall for each in found])),
                regret=float(np.mean([each.regret for each in found])),
                cost=None if costs is None else costs[share],
            )
        )
    size = float(np.mean([len(one.full) for one in lists]))
    return Agreement(lists=kind, count=len(lists), candidates=size, points=tuple(points))


def of_fusion(lists: Sequence[ScoredList], plan: Plan, keep: float) -> FusionAgreement:
    """Agreement at the share ``keep`` for one of the artifact's fusions, on sampled lists.

    Lists of which the full model scores all candidates say nothing and are left out.
    """
    count = [_kept("sampled", len(one.full), keep) for one in lists]
    found = [_compared(plan, one, k).ndcg for one, k in zip(lists, count, strict=True) if k < len(one.full)]
    ndcgs = [value for value in found if not np.isnan(value)]
    return FusionAgreement(fusion=fusion_digest(plan), ndcg=float(np.mean(ndcgs)) if ndcgs else None)


def shares(keep: float) -> list[float]:
    """The shares of a curve, ascending."""
    return sorted({*SHARES, keep})


def costs(lists: Sequence[CandidateList], full: Engine, student: Engine, keep: float) -> dict[float, float]:
    """Time of both stages over the full model's alone, by share; medians of interleaved calls on some lists.

    Only scoring is timed: parsing, encoding and the answer cost the same either way.
    """
    total = dict.fromkeys(shares(keep), 0.0)
    alone = 0.0
    for one in lists[:TIMED]:
        parts = {share: _first(one.packed, kept(len(one), share)) for share in total}
        calls = [(student, one.packed), (full, one.packed), *((full, part) for part in parts.values())]
        times = np.median([[_seconds(engine, packed) for engine, packed in calls] for _ in range(REPEATS)], axis=0)
        alone += times[1]
        for share, seconds in zip(total, times[2:], strict=True):
            skipped = kept(len(one), share) == len(one)
            total[share] += times[1] if skipped else times[0] + seconds
    return {share: seconds / alone for share, seconds in total.items()}


def _kept(kind: str, candidates: int, share: float) -> int:
    return kept(candidates, share, TOP if kind == "sampled" else None, LEAST if kind == "sampled" else 1)


def _compared(plan: Plan, one: ScoredList, count: int) -> RankingAgreement:
    """Compare the ranking in two stages of one list with the full one, as they are served before re-ranking."""
    plan = plan.without_reranking
    try:
        full = plan.rank(Candidates.of(plan.objectives, one.full, features=one.features))
        by_student = Candidates.of(plan.objectives, one.student, features=one.features)
        best = chosen(plan, by_student, count)
        sifted = Sifted(one.student, by_student.features, best, count / len(one.full))
        joined = sifted.joined(one.full[best])
        ranked = plan.rank(sifted.candidates(plan, joined))
    except FusionError as error:
        raise DataError(f"held-out rows cannot be ranked with fusion {plan.fusion.name!r}: {error}") from None
    return ranking_agreement(full.fused, full.order(), ranked.order(), TOP)


def _first(packed: Packed, count: int) -> Packed:
    return packed.with_candidates(slice(count))


def _seconds(engine: Engine, packed: Packed) -> float:
    start = time.perf_counter()
    engine.score(packed)
    return time.perf_counter() - start
