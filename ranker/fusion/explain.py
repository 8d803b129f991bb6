"""Why a candidate ranks where it does: what each objective gives it, and where it would rank without."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ranker.fusion.base import Floats, FusionError
from ranker.fusion.candidates import Candidates
from ranker.fusion.plan import Plan, Ranked


@dataclass(frozen=True, eq=False)
class Explanation:
    """What T objectives do for the N candidates of a request.

    Without an objective, every candidate has the one that stands in the middle of the request on it: the lower median
    of its scores, or of the ranks or shares that the formula makes of them. The objective tells candidates apart no
    more, and the formula works in its usual range.

    Attributes
    ----------
    baseline
        What the formula gives a candidate that is in the middle on every objective [N]. Candidates differ by the
        features that the formula reads, if any.
    contributions
        Fused score less the one without the objective [N, T], before rules. Where the formula is a sum over
        objectives, baseline and contributions add up to the fused score.
    rank
        Place of each candidate [N], from 1, rules included; 0 for one that is dropped.
    rank_without
        The same without each objective [N, T].
    """

    baseline: Floats
    contributions: Floats
    rank: NDArray[np.intp]
    rank_without: NDArray[np.intp]


def explain(plan: Plan, candidates: Candidates) -> Explanation:
    """Explain the ranking of one request's candidates. Raises ``FusionError`` as ``Plan.rank``, and for several."""
    if candidates.requests.count != 1:
        raise FusionError(f"one request is explained at a time, got {candidates.requests.count}")
    calibrated = plan.calibrated(candidates)
    prepared = plan.prepare(calibrated)
    objectives = len(plan.objectives)
    middle = prepared.copy()
    for i in range(objectives):
        middle[:, i] = candidates.requests.middle(prepared[:, i])
    fused = _fused(plan, prepared)
    contributions = np.empty((len(prepared), objectives))
    rank_without = np.empty((len(prepared), objectives), dtype=np.intp)
    for i in range(objectives):
        without = prepared.copy()
        without[:, i] = middle[:, i]
        changed = _fused(plan, without)
        contributions[:, i] = fused - changed
        rank_without[:, i] = places(plan.finish(calibrated, changed))
    return Explanation(_fused(plan, middle), contributions, places(plan.finish(calibrated, fused)), rank_without)


def places(ranked: Ranked) -> NDArray[np.intp]:
    """Place of each candidate [N], from 1 for the best; 0 for one that is dropped."""
    order = ranked.order()
    found = np.zeros(len(ranked.fused), dtype=np.intp)
    found[order] = np.arange(1, len(order) + 1)
    return found


def _fused(plan: Plan, prepared: Floats) -> Floats:
    return plan.fusion.formula.combine(prepared, plan.fusion.arrays)
