"""CMA-ES, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("cma_es")
class CmaEs(OptunaMethod):
    """Evolution strategy that learns how parameters go together. Hansen & Ostermeier 2001; the package ``cmaes``.

    Raises ``ValueError`` for a single parameter, which has nothing to go together with.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        if len(start) < 2:
            raise ValueError("cma_es searches two parameters or more; take cross_entropy for one")
        self.size = generation(len(start), budget)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """Start from the middle of the trust region, with a spread of a sixth of it."""
        return optuna.samplers.CmaEsSampler(seed=self.seed, popsize=self.size)
