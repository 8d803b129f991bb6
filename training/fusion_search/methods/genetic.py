"""A genetic algorithm, through Optuna."""

from typing import Any

import optuna

from training.fusion_search.methods.base import METHODS, Points, generation
from training.fusion_search.methods.optuna_study import OptunaMethod


@METHODS.register("genetic")
class Genetic(OptunaMethod):
    """Elitist: parents by tournament, simulated binary crossover, mutation (Deb & Agrawal 1995).

    NSGA-II with one objective: its fronts are then single values, and its selection takes the best.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        self.size = 2 * generation(len(start), budget // 2)
        super().__init__(start, budget, seed, terms)

    def sampler(self) -> Any:
        """Crossover between the parents' values, not only of them."""
        return optuna.samplers.NSGAIISampler(
            population_size=self.size, crossover=optuna.samplers.nsgaii.SBXCrossover(), seed=self.seed
        )
