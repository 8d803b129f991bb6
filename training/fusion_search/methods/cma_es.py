"""CMA-ES, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("cma_es")
class CmaEs(OptunaMethod):
    """Evolution strategy with covariance adaptation. Hansen & Ostermeier 2001; the package ``cmaes``.

    Raises ``ValueError`` for a single parameter.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        if len(start) < 2:
            raise ValueError("cma_es needs at least two parameters; use cross_entropy for one")
        self.size = generation(len(start), budget)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """Start from the centre of the search space with a sixth of its width as standard deviation."""
        return optuna.samplers.CmaEsSampler(seed=self.seed, popsize=self.size)
