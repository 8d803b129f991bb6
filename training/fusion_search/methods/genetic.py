"""A genetic algorithm, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("genetic")
class Genetic(OptunaMethod):
    """Elitist, with tournament selection, simulated binary crossover and mutation (Deb & Agrawal 1995).

    This is NSGA-II with a single objective, where its selection takes the best values.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        self.size = 2 * generation(len(start), budget // 2)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """NSGA-II with simulated binary crossover, which interpolates between the parents' values."""
        return optuna.samplers.NSGAIISampler(
            population_size=self.size, crossover=optuna.samplers.nsgaii.SBXCrossover(), seed=self.seed
        )
