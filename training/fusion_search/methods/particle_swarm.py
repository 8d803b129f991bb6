"""Particle swarm: particles accelerate towards their own best point and the swarm's best point."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points, generation

INERTIA, PULL = 0.7298, 1.4962
"""Constriction coefficients of Clerc & Kennedy 2002, which keep the swarm stable."""


@METHODS.register("particle_swarm")
class ParticleSwarm(Method):
    """Global-best swarm with constriction. Kennedy & Eberhart 1995; Clerc & Kennedy 2002.

    A particle that would leave the search space stops at its boundary in that coordinate.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        shape = (max(8, generation(self.dimensions, budget)), self.dimensions)
        self._points = np.vstack([self.start, self.random.random((shape[0] - 1, self.dimensions))])
        self._speed = 0.25 * (self.random.random(shape) - 0.5)
        self._best, self._values = self._points.copy(), np.full(shape[0], -np.inf)

    def ask(self) -> Points:
        """The particles' positions."""
        return self._points

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Update best points, velocities and positions; only the last generation may be incomplete."""
        better = np.flatnonzero(values > self._values[: len(values)])
        self._best[better], self._values[better] = points[better], values[better]
        leader = self._best[np.argmax(self._values)]
        own, common = self.random.random((2, *self._points.shape))
        self._speed = INERTIA * self._speed + PULL * (
            own * (self._best - self._points) + common * (leader - self._points)
        )
        moved = self._points + self._speed
        self._points = np.clip(moved, 0.0, 1.0)
        self._speed = np.where(moved == self._points, self._speed, 0.0)
