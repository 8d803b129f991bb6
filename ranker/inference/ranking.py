"""A ranking of one request's candidates, and its explanations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, Plan, Ranked, explain
from ranker.fusion.reranking import PLACES, Cost

if TYPE_CHECKING:
    import pandas as pd


MOST_PLACES = 100
"""Most places that a cost of re-ranking is about: distances are computed between all pairs."""
ScoredBy: TypeAlias = Literal["full", "student"]
"""The model that scored a candidate."""


@dataclass(frozen=True, eq=False)
class Explanations:
    """Explanations of the first M candidates of a ranking; arrays are in ranked order.

    "Without an objective" means that all candidates get the median candidate's value on it.

    Attributes
    ----------
    baseline
        The formula's score of a candidate with the median value on every objective [M].
    contributions
        By objective, its contribution to the fused score before rules [M].
    rank_without
        By objective, the candidate's rank from 1 without the objective and without exploration [M]; 0 if dropped.
    rules
        By rule, whether it applies to the candidate [M].
    moved_by
        By re-ranking step, how many places up it moved the candidate [M], down if negative. They add up to the move
        from the place by fused scores to the place before exploration.
    """

    baseline: NDArray[np.float64]
    contributions: Mapping[str, NDArray[np.float64]]
    rank_without: Mapping[str, NDArray[np.intp]]
    rules: Mapping[str, NDArray[np.bool_]]
    moved_by: Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True, eq=False)
class Ranking:
    """K of N candidates, best first.

    Attributes
    ----------
    model_version
        The artifact's version.
    fusion
        The fusion's ``name``, ``formula`` and all ``parameters``.
    ids
        Ids of the candidates, or their positions if the schema has no candidate id.
    positions
        Positions [K] of the candidates in the request.
    fused
        Fused scores [K], descending unless candidates are re-ranked or drawn by exploration.
    scores
        By objective, calibrated scores [K].
    explanations
        Explanations of the first candidates, if requested.
    scored_by
        ``full`` or ``student`` [K]: the model that scored each candidate; ``None`` if the full model scored all. Fused
        scores then descend within each part, and those of the student's candidates are behind.
    reranking
        What re-ranking cost and gained before exploration, if explanations are requested and the fusion re-ranks.
    base_place
        Places before exploration [K], from 1; ``None`` if the fusion does not explore or there is no seed.
    propensity
        Probability of each candidate at its place given those at the places before it [K]; ``None`` as above.
    """

    model_version: int
    fusion: Mapping[str, Any]
    ids: list[Any]
    positions: NDArray[np.intp]
    fused: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float32]]
    explanations: Explanations | None = None
    scored_by: list[ScoredBy] | None = None
    reranking: Cost | None = None
    base_place: NDArray[np.intp] | None = None
    propensity: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with one row per candidate, best first; requires pandas.

        Columns: ``id``, ``position``, ``fused``, each objective's score under its name, ``scored_by`` if ranked in two
        stages, ``base_place`` and ``propensity`` if drawn by exploration, and with explanations ``baseline``,
        ``OBJECTIVE.contribution``, ``OBJECTIVE.rank_without``, ``rule.NAME`` and ``moved_by.NAME``, null for candidates
        without explanation.
        """
        import pandas as pd

        frame = pd.DataFrame({"id": self.ids, "position": self.positions, "fused": self.fused, **self.scores})
        if self.scored_by is not None:
            frame["scored_by"] = self.scored_by
        if self.propensity is not None:
            frame = frame.assign(base_place=self.base_place, propensity=self.propensity)
        if (why := self.explanations) is not None:
            columns: dict[str, NDArray[Any]] = {"baseline": why.baseline}
            columns |= {f"{name}.contribution": values for name, values in why.contributions.items()}
            columns |= {f"{name}.rank_without": values for name, values in why.rank_without.items()}
            columns |= {f"rule.{name}": values for name, values in why.rules.items()}
            columns |= {f"moved_by.{name}": values for name, values in why.moved_by.items()}
            frame = frame.join(pd.DataFrame(columns))
        return frame


def explained(
    plan: Plan, candidates: Candidates, shown: NDArray[np.intp], ranked: Ranked, top_k: int | None = None
) -> tuple[Explanations, Cost | None]:
    """Explain the candidates at positions ``shown`` [M], and what re-ranking cost in the first ``top_k`` places.

    ``ranked`` is the plan's result; the cost is ``None`` if it does not re-rank, and that of at most
    ``MOST_PLACES``.
    """
    explanation = explain(plan, candidates, shown)
    reranking = plan.explained_reranking(candidates, ranked, min(top_k or PLACES, MOST_PLACES))
    moves, cost = ({}, None) if reranking is None else reranking
    explanations = Explanations(
        explanation.baseline,
        by_objective(plan, explanation.contributions),
        by_objective(plan, explanation.rank_without),
        {rule: mask[shown] for rule, mask in ranked.picked.items()},
        {step: moved[shown] for step, moved in moves.items()},
    )
    return explanations, cost


def by_objective(plan: Plan, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Columns of values [K, T] by objective name."""
    return dict(zip(plan.objectives, np.ascontiguousarray(values.T), strict=True))
