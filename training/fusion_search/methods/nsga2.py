"""NSGA-II, through Optuna: the front of the objective's terms."""

from typing import Any, ClassVar

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("nsga2")
class Nsga2(OptunaMethod):
    """Points that none dominates in the terms, spread by crowding distance. Deb et al. 2002.

    Raises ``ValueError`` where the objective has one term, which has no front.
    """

    front: ClassVar[bool] = True

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        if terms < 2:
            raise ValueError("nsga2 looks for a front and needs an objective of two terms or more")
        self.size = 2 * generation(len(start), budget // 2)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """Crossover between the parents' values, not only of them."""
        return optuna.samplers.NSGAIISampler(
            population_size=self.size, crossover=optuna.samplers.nsgaii.SBXCrossover(), seed=self.seed
        )
