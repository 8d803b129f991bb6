"""Evolution strategy with self-adapting step sizes."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points, generation

STEP = 0.2


@METHODS.register("evolution_strategy")
class EvolutionStrategy(Method):
    """``(mu/mu, lambda)`` with one self-adapted step size per parameter. Schwefel 1981; Beyer & Schwefel 2002.

    A child multiplies the parent's step sizes by log-normal factors, one common and one per parameter, and takes a
    normal step of these sizes; the next parent is the mean of the best quarter.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        self._parent, self._log_steps = self.start, np.full(self.dimensions, np.log(STEP))
        self._size = generation(self.dimensions, budget)
        self._first = True
        self._asked_steps = np.empty((0, self.dimensions))

    def ask(self) -> Points:
        """Draw a generation of children."""
        shape = (self._size, self.dimensions)
        common = self.random.standard_normal((self._size, 1)) / np.sqrt(2.0 * self.dimensions)
        own = self.random.standard_normal(shape) / np.sqrt(2.0 * np.sqrt(self.dimensions))
        steps = np.clip(self._log_steps + common + own, np.log(1e-4), np.log(0.5))
        points = np.clip(self._parent + np.exp(steps) * self.random.standard_normal(shape), 0.0, 1.0)
        if self._first:
            points, steps = np.vstack([self.start, points]), np.vstack([self._log_steps, steps])
        self._asked_steps = steps
        return np.asarray(points)

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Set the parent to the mean of the best children."""
        self._first = False
        best = np.argsort(-values, kind="stable")[: max(1, len(points) // 4)]
        self._parent, self._log_steps = points[best].mean(axis=0), self._asked_steps[best].mean(axis=0)
