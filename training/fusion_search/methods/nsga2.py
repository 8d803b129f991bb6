"""NSGA-II, through Optuna, for the Pareto front of the objective's terms."""

from typing import Any, ClassVar

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("nsga2")
class Nsga2(OptunaMethod):
    """Non-dominated sorting with crowding distance. Deb et al. 2002.

    Raises ``ValueError`` if the objective has only one term.
    """

    front: ClassVar[bool] = True

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        if terms < 2:
            raise ValueError("nsga2 searches for a front and needs an objective with at least two terms")
        self.size = 2 * generation(len(start), budget // 2)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """NSGA-II with simulated binary crossover, which interpolates between the parents' values."""
        return optuna.samplers.NSGAIISampler(
            population_size=self.size, crossover=optuna.samplers.nsgaii.SBXCrossover(), seed=self.seed
        )
