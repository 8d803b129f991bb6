"""Base class of search methods, with an ask-and-tell interface over points of the unit cube."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ranker.registry import Registry

Points = NDArray[np.float64]
"""Points of the unit cube [n, D]."""


class Method(ABC):
    """Maximises a function over the unit cube [0, 1]^D.

    Its points depend only on its arguments and on what it was told, so that a search resumes by telling a new instance
    everything again. The first point it asks for is the start.

    Parameters
    ----------
    start
        The point of the current parameters [D].
    budget
        Maximum number of points to try; points asked beyond it are not tried.
    seed
        The same seed gives the same search.
    terms
        Number of terms of the objective, M.

    Raises
    ------
    ValueError
        If the budget is too small for the method.
    """

    front: ClassVar[bool] = False
    """Whether it searches for the Pareto front of the terms rather than for the best weighted sum."""

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        self.start = np.asarray(start, dtype=np.float64)
        self.budget = budget
        self.random = np.random.default_rng(seed)
        self.seed = seed
        self.terms = terms

    @property
    def dimensions(self) -> int:
        """Number of dimensions D."""
        return len(self.start)

    @abstractmethod
    def ask(self) -> Points:
        """The next points to try [n, D], evaluated in parallel; empty when the search is exhausted."""

    @abstractmethod
    def tell(self, points: Points, values: Points, terms: Points) -> None:
        """Receive values [n] and terms [n, M] of the first n points asked for; higher is better.

        Points that violate a constraint have values below all others and terms of minus infinity.
        """


METHODS: Registry[type[Method]] = Registry("search method")


def generation(dimensions: int, budget: int) -> int:
    """Points per generation: Hansen's 4 + 3 ln D, at least 10, but few enough for eight generations."""
    return max(4, min(max(10, 4 + int(3 * np.log(dimensions))), budget // 8))
