"""Grid search, for few parameters."""

import numpy as np

from training.fusion_search.methods.base import METHODS, Method, Points

AT_ONCE = 64


@METHODS.register("grid")
class Grid(Method):
    """Every combination of evenly spaced values, both ends included, as many per parameter as the budget allows.

    Raises ``ValueError`` if that is fewer than two.
    """

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        super().__init__(start, budget, seed, terms)
        levels = 1
        while (levels + 1) ** self.dimensions <= budget - 1:
            levels += 1
        if levels < 2:
            raise ValueError(
                f"a grid of {self.dimensions} parameters needs at least {2**self.dimensions + 1} sets, but the budget "
                f"is {budget}: search fewer parameters, or use another method"
            )
        axes = np.meshgrid(*[np.linspace(0.0, 1.0, levels)] * self.dimensions, indexing="ij")
        self._points = np.vstack([self.start, np.stack(axes, axis=-1).reshape(-1, self.dimensions)])
        self._done = 0

    def ask(self) -> Points:
        """The next points of the grid."""
        return self._points[self._done : self._done + AT_ONCE]

    def tell(self, points: Points, values: Points, terms: Points) -> None:  # noqa: ARG002
        """Advance to the next points."""
        self._done += len(points)
