"""Points at random, all over the trust region: what every other method must beat."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points

AT_ONCE = 32


@METHODS.register("random")
class Random(Method):
    """Uniform points. Bergstra & Bengio 2012, "Random Search for Hyper-Parameter Optimization"."""

    _started = False

    def ask(self) -> Points:
        """The next points of an endless row."""
        points = self.random.random((AT_ONCE, self.dimensions))
        return points if self._started else np.vstack([self.start, points])

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Learn nothing."""
        self._started = True
