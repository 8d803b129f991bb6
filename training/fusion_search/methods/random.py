"""Random search: the baseline for every other method."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points

AT_ONCE = 32


@METHODS.register("random")
class Random(Method):
    """Uniform points. Bergstra & Bengio 2012, "Random Search for Hyper-Parameter Optimization"."""

    _started = False

    def ask(self) -> Points:
        """The next uniform points."""
        points = self.random.random((AT_ONCE, self.dimensions))
        return points if self._started else np.vstack([self.start, points])

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Ignore the values."""
        self._started = True
