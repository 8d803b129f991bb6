"""A ranking of one request's candidates, and why each stands where it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ranker.fusion import Candidates, Plan, explain

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Explanations:
    """Why the first M candidates of a ranking stand where they do; arrays are in ranked order.

    Without an objective means: as if all candidates of the request had the middle candidate's value on it.

    Attributes
    ----------
    baseline
        The formula's score of a candidate that is in the middle on every objective [M].
    contributions
        By objective, what it adds to the fused score before rules [M].
    rank_without
        By objective, the candidate's place from 1 without the objective [M]; 0 for one that is dropped.
    rules
        By rule, whether it applies to the candidate [M].
    """

    baseline: NDArray[np.float64]
    contributions: Mapping[str, NDArray[np.float64]]
    rank_without: Mapping[str, NDArray[np.intp]]
    rules: Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Ranking:
    """K of N candidates, best first.

    Attributes
    ----------
    model_version
        The artifact's version.
    fusion
        What fused: ``name``, ``formula`` and all ``parameters``.
    ids
        Ids of the candidates, or their positions where the schema names no candidate id.
    positions
        Positions [K] of the candidates in the request.
    fused
        Fused scores [K], by which they are ranked.
    scores
        By objective, calibrated scores [K].
    explanations
        Of the first candidates, where asked for.
    """

    model_version: int
    fusion: Mapping[str, Any]
    ids: list[Any]
    positions: NDArray[np.intp]
    fused: NDArray[np.float64]
    scores: Mapping[str, NDArray[np.float32]]
    explanations: Explanations | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def to_frame(self) -> "pd.DataFrame":
        """A DataFrame with a row a candidate, best first; needs pandas.

        Columns: ``id``, ``position``, ``fused``, an objective's name for its score, and with explanations
        ``baseline``, ``OBJECTIVE.contribution``, ``OBJECTIVE.rank_without`` and ``rule.NAME``,
        null beyond the candidates explained.
        """
        import pandas as pd

        frame = pd.DataFrame({"id": self.ids, "position": self.positions, "fused": self.fused, **self.scores})
        if (why := self.explanations) is not None:
            told: dict[str, NDArray[Any]] = {"baseline": why.baseline}
            told |= {f"{name}.contribution": values for name, values in why.contributions.items()}
            told |= {f"{name}.rank_without": values for name, values in why.rank_without.items()}
            told |= {f"rule.{name}": values for name, values in why.rules.items()}
            frame = frame.join(pd.DataFrame(told))
        return frame


def explained(plan: Plan, candidates: Candidates, shown: NDArray[np.intp], picked: Mapping[str, Any]) -> Explanations:
    """Explain the candidates at the positions ``shown`` [M]; ``picked`` [N] by rule says where rules apply."""
    told = explain(plan, candidates, shown)
    return Explanations(
        told.baseline,
        by_objective(plan, told.contributions),
        by_objective(plan, told.rank_without),
        {rule: mask[shown] for rule, mask in picked.items()},
    )


def by_objective(plan: Plan, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Columns of values [K, T] by the objectives' names."""
    return dict(zip(plan.objectives, np.ascontiguousarray(values.T), strict=True))
