"""Percentile fusion: the percentile of a score in a reference population, independent of the request."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from ranker.fusion.base import Floats, FusionError, Invariance, Parameter
from ranker.fusion.candidates import Candidates
from ranker.fusion.formula import FUSIONS, Formula, FormulaOptions, State


@FUSIONS.register("percentile")
class Percentile(Formula):
    """``sum_i weight_i F_i(p_i)``, where F_i is the fraction of the reference population below on objective i.

    Unlike a rank within the request, a percentile tells whether a request's best candidate is good. Scores between two
    quantiles are interpolated; scores outside the population's range are clipped to it. A repeated value in the
    population counts with the middle of its percentiles.
    """

    class Options(FormulaOptions):
        """Resolution of the population's distribution."""

        quantiles: int = Field(1001, ge=2, le=100_001, description="Number of quantiles per objective.")

    options: Options
    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="Weight of the percentile; a negative value counts against a candidate.",
        ),
    )
    direction = "weight"
    # For a fixed population; if it is transformed along with the scores, any increasing map is an invariance.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {}
    fitted = True

    @cached_property
    def _distributions(self) -> list[tuple[Floats, Floats]]:
        """Quantiles and percentiles per objective as arrays, since lists would be converted in every request."""
        assert self.state is not None  # Fusion.require_fitted
        known = [self.state[objective] for objective in self.objectives]
        return [(np.array(one["quantiles"]), np.array(one["shares"])) for one in known]

    def fit(self, candidates: Candidates, log: Mapping[str, Any]) -> State:  # noqa: ARG002
        """Distinct quantiles of each objective's scores, and the percentile of each."""
        if not len(candidates.scores):
            raise FusionError("fusion 'percentile': the reference population has no rows")
        state = {}
        for i, objective in enumerate(self.objectives):
            levels = np.linspace(0.0, 1.0, self.options.quantiles)
            quantiles, run = np.unique(np.quantile(candidates.scores[:, i], levels), return_inverse=True)
            shares = np.bincount(run, levels) / np.bincount(run)
            state[objective] = {"quantiles": quantiles.tolist(), "shares": shares.tolist()}
        return state

    def prepare(self, candidates: Candidates) -> Floats:
        """Percentiles [N, T]."""
        shares = np.empty(candidates.scores.shape)
        for i, (quantiles, at) in enumerate(self._distributions):
            shares[:, i] = np.interp(candidates.scores[:, i], quantiles, at)
        return shares

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Percentiles [N, T] and weight [..., T] -> fused scores [..., N]."""
        weight = parameters["weight"]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # avoids a [..., N, T] temporary per parameter set
            total = total + weight[..., None, i] * prepared[..., i]
        return np.asarray(total, dtype=np.float64)
