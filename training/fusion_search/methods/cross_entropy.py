"""Cross-entropy search: a Gaussian around the current parameters, refitted to the best samples of each generation."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points, generation

SPREAD = 0.25
ELITE = 0.25
SMOOTHING = 0.3
"""Smoothing: fraction of the old mean and spread kept per generation, to dampen lucky draws."""
LEAST_SPREAD = 1e-3


@METHODS.register("cross_entropy")
class CrossEntropy(Method):
    """Sample a Gaussian, refit it to the best quarter, repeat. Rubinstein 1999.

    Samples outside the search space are clipped to it.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        self._mean, self._spread = self.start, np.full(self.dimensions, SPREAD)
        self._size = 2 * generation(self.dimensions, budget // 2)
        self._first = True

    def ask(self) -> Points:
        """Sample a generation around the mean."""
        drawn = self._mean + self._spread * self.random.standard_normal((self._size, self.dimensions))
        points = np.clip(drawn, 0.0, 1.0)
        return np.vstack([self.start, points]) if self._first else points

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Refit the Gaussian to the elite."""
        self._first = False
        elite = points[np.argsort(-values, kind="stable")[: max(2, round(ELITE * len(points)))]]
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * elite.mean(axis=0)
        self._spread = np.maximum(SMOOTHING * self._spread + (1 - SMOOTHING) * elite.std(axis=0), LEAST_SPREAD)
