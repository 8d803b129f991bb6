"""What a search method is: it asks for points of the unit cube to be tried, and is told what they are worth."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ranker.registry import Registry

Points = NDArray[np.float64]
"""Points of the unit cube [n, D]."""


class Method(ABC):
    """A way to look for the best point of the unit cube [0, 1]^D.

    What it asks for depends on its arguments and on what it was told alone: a stopped search goes on by telling a
    new one everything again. The first point that it asks for is the start.

    Parameters
    ----------
    start
        Today's point [D].
    budget
        How many points may be tried in all; whatever is asked beyond is left out.
    seed
        Equal seeds search alike.
    terms
        How many terms the objective has, M.

    Raises
    ------
    ValueError
        Where the budget is too small for the method to work.
    """

    front: ClassVar[bool] = False
    """Whether it looks for the front of the terms, and not only for the best sum of them."""

    def __init__(self, start: Points, budget: int, seed: int, terms: int) -> None:
        self.start = np.asarray(start, dtype=np.float64)
        self.budget = budget
        self.random = np.random.default_rng(seed)
        self.seed = seed
        self.terms = terms

    @property
    def dimensions(self) -> int:
        """D."""
        return len(self.start)

    @abstractmethod
    def ask(self) -> Points:
        """Points to try next [n, D], tried at the same time; none where there is nothing left to try."""

    @abstractmethod
    def tell(self, points: Points, values: Points, terms: Points) -> None:
        """Take the values [n] of all points asked for, or of the first n, and their terms [n, M]; more is better.

        Points that break a constraint have values below all others', and terms of minus infinity.
        """


METHODS: Registry[type[Method]] = Registry("search method")


def generation(dimensions: int, budget: int) -> int:
    """Points of a generation: Hansen's 4 + 3 ln D, at least 10, at most so many that there are eight generations."""
    return max(4, min(max(10, 4 + int(3 * np.log(dimensions))), budget // 8))
