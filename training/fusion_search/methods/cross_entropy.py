"""Cross-entropy search: a Gaussian around the current parameters, refitted to the best samples of each generation."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points, generation

SPREAD = 0.25
ELITE = 0.25
KEPT = 0.3
"""Share of the old mean and spread that a generation keeps, so that one lucky draw does not decide."""
LEAST_SPREAD = 1e-3


@METHODS.register("cross_entropy")
class CrossEntropy(Method):
    """Draw around the mean, take the best quarter, make theirs the new mean and variance, repeat. Rubinstein 1999.

    Draws beyond the trust region are put onto its edge.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        self._mean, self._spread = self.start, np.full(self.dimensions, SPREAD)
        self._size = 2 * generation(self.dimensions, budget // 2)
        self._first = True

    def ask(self) -> Points:
        """A generation around the mean."""
        drawn = self._mean + self._spread * self.random.standard_normal((self._size, self.dimensions))
        points = np.clip(drawn, 0.0, 1.0)
        return np.vstack([self.start, points]) if self._first else points

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Move to the elite."""
        self._first = False
        elite = points[np.argsort(-values, kind="stable")[: max(2, round(ELITE * len(points)))]]
        self._mean = KEPT * self._mean + (1 - KEPT) * elite.mean(axis=0)
        self._spread = np.maximum(KEPT * self._spread + (1 - KEPT) * elite.std(axis=0), LEAST_SPREAD)
