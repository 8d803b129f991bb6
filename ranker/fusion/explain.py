"""Explanations of ranks: each objective's contribution, and the rank without it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import Attribution
from ranker.fusion.learned.shapley import Score, shapley
from ranker.fusion.plan import Plan
from ranker.fusion.ranked import Ranked


@dataclass(frozen=True, eq=False)
class Explanation:
    """Contributions of T objectives to M explained candidates of a request.

    "Without an objective" means that every candidate gets the request's lower median of its scores, or of the ranks or
    percentiles that the formula derives. The objective then does not distinguish candidates, and the formula stays in
    its usual range.

    Attributes
    ----------
    baseline
        The formula's score with the median on every objective [M]. It differs between candidates only by features that
        the formula reads.
    contributions
        Contribution of each objective to the fused score before rules [M, T], by the formula's ``attribution``:
        ``leave_one_out``, the fused score minus the score without the objective, or ``shapley``. Baseline and
        contributions sum to the fused score for ``shapley``, and if the formula is a sum over objectives.
    rank
        Rank of each candidate among all [M], from 1, after rules and re-ranking; 0 if dropped.
    rank_without
        The rank without each objective [M, T].
    """

    baseline: Floats
    contributions: Floats
    rank: NDArray[np.intp]
    rank_without: NDArray[np.intp]


def explain(plan: Plan, candidates: Candidates, shown: NDArray[np.intp] | None = None) -> Explanation:
    """Explain the ranking of one request: candidates at positions ``shown`` [M], or all in order.

    Raises ``FusionError`` as ``Plan.rank``, and for several requests.
    """
    if candidates.requests.count != 1:
        raise FusionError(f"explanations need a single request, got {candidates.requests.count}")
    calibrated = plan.calibrated(candidates)
    prepared = plan.prepare(calibrated)
    shown = np.arange(len(prepared)) if shown is None else shown
    objectives = len(plan.objectives)
    middle = prepared.copy()
    for i in range(objectives):
        middle[:, i] = candidates.requests.middle(prepared[:, i])

    def fused(rows: Floats) -> Floats:
        return plan.fusion.formula.combine(rows, plan.fusion.arrays)

    def placed(scores: Floats) -> NDArray[np.intp]:
        return places(plan.reranked(calibrated, plan.finish(calibrated, scores)))[shown]

    rank_without = np.empty((len(shown), objectives), dtype=np.intp)
    for i in range(objectives):
        rank_without[:, i] = placed(fused(_without(i, prepared, middle)))
    attributed = ATTRIBUTIONS[plan.fusion.formula.attribution]
    contributions = attributed(fused, prepared[shown], middle[shown], objectives)
    return Explanation(fused(middle[shown]), contributions, placed(fused(prepared)), rank_without)


def leave_one_out(score: Score, present: Floats, absent: Floats, inputs: int) -> Floats:
    """Scores of ``present`` minus scores with one of the first T = ``inputs`` columns from ``absent`` [M, T]."""
    full = score(present)
    values = np.empty((len(present), inputs))
    for i in range(inputs):
        values[:, i] = full - score(_without(i, present, absent))
    return values


ATTRIBUTIONS: Mapping[Attribution, Callable[[Score, Floats, Floats, int], Floats]] = {
    "leave_one_out": leave_one_out,
    "shapley": shapley,
}


def places(ranked: Ranked) -> NDArray[np.intp]:
    """Rank of each candidate [N], from 1; 0 if dropped."""
    order = ranked.order()
    ranks = np.zeros(len(ranked.fused), dtype=np.intp)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks


def _without(column: int, present: Floats, absent: Floats) -> Floats:
    changed = present.copy()
    changed[:, column] = absent[:, column]
    return changed
