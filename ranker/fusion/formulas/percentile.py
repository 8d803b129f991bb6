"""Percentile fusion: where a score stands among those of a reference population, whatever the request."""

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
    """``sum_i weight_i F_i(p_i)``, with the share F_i of the reference population that scores lower on objective i.

    Unlike a rank within the request, a percentile says whether a request's best candidate is any good. Scores between
    two quantiles are interpolated; one below or above all of the population counts as its least or greatest. A value
    that many of the population have counts as the middle of their shares.
    """

    class Options(FormulaOptions):
        """How finely the population is described."""

        quantiles: int = Field(1001, ge=2, le=100_001, description="Quantiles stored for each objective.")

    options: Options
    parameters = (
        Parameter(
            name="weight",
            default=1.0,
            low=-100.0,
            high=100.0,
            per_objective=True,
            description="What standing above all the population is worth; negative counts against a candidate.",
        ),
    )
    direction = "weight"
    # The population stays as it was: with scores and population changed alike, any increasing map would do.
    invariant_to: ClassVar[Mapping[Invariance, Mapping[str, float]]] = {}
    fitted = True

    @cached_property
    def _known(self) -> list[tuple[Floats, Floats]]:
        """Quantiles and shares of each objective, as arrays: lists would be turned into them in every request."""
        assert self.state is not None  # Fusion.require_fitted
        known = [self.state[objective] for objective in self.objectives]
        return [(np.array(one["quantiles"]), np.array(one["shares"])) for one in known]

    def fit(self, candidates: Candidates, log: Mapping[str, Any]) -> State:  # noqa: ARG002
        """Distinct quantiles of each objective's scores, and the share of the population at each."""
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
        """Shares of the population that score lower [N, T]."""
        shares = np.empty(candidates.scores.shape)
        for i, (quantiles, at) in enumerate(self._known):
            shares[:, i] = np.interp(candidates.scores[:, i], quantiles, at)
        return shares

    def combine(self, prepared: Floats, parameters: Mapping[str, Floats]) -> Floats:
        """Shares [N, T] and weight [..., T] -> fused scores [..., N]."""
        weight = parameters["weight"]
        total = np.zeros(1)
        for i in range(prepared.shape[-1]):  # one at a time: no [..., N, T] temporary per parameter set
            total = total + weight[..., None, i] * prepared[..., i]
        return np.asarray(total, dtype=np.float64)
