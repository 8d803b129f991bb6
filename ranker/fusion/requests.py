"""Which candidates compete with each other: those of one request, so that a whole log can be fused in one call."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.fusion.base import Floats, FusionError


@dataclass(frozen=True, eq=False)
class Requests:
    """The request of each of N candidates; ``Requests.one`` and ``Requests.of`` make it.

    Attributes
    ----------
    codes
        The request of each candidate [N], from 0 to ``count`` - 1, in any order.
    count
        Number of requests.
    """

    codes: NDArray[np.intp]
    count: int

    @classmethod
    def one(cls, candidates: int) -> "Requests":
        """All candidates belong to one request."""
        return cls(np.zeros(candidates, dtype=np.intp), 1)

    @classmethod
    def of(cls, keys: ArrayLike) -> "Requests":
        """Candidates with equal keys [N], of any type, belong to one request. Raises ``FusionError``."""
        keys = np.asarray(keys)
        if keys.ndim != 1:
            raise FusionError(f"requests must be one key a candidate, got shape {list(keys.shape)}")
        found, codes = np.unique(keys, return_inverse=True)
        return cls(codes.astype(np.intp), len(found))

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Candidates of each request [count]."""
        return np.bincount(self.codes, minlength=self.count)

    @cached_property
    def size(self) -> NDArray[np.intp]:
        """Candidates of each candidate's request [N]."""
        return self.sizes[self.codes]

    def better(self, column: Floats) -> NDArray[np.intp]:
        """How many candidates of the same request have a larger value [N]: equal ones share a number."""
        order = np.argsort(-column) if self.count == 1 else np.lexsort((-column, self.codes))
        codes, values = self.codes[order], column[order]
        first = np.ones(len(column), dtype=bool)
        first[1:] = (values[1:] != values[:-1]) | (codes[1:] != codes[:-1])
        # Each sorted place -> the place where its run of ties begins, counted from its request's first place.
        begins = np.maximum.accumulate(np.where(first, np.arange(len(column)), 0))
        starts = np.cumsum(self.sizes) - self.sizes
        counts = np.empty(len(column), dtype=np.intp)
        counts[order] = begins - starts[codes]
        return counts

    def mean(self, column: Floats) -> Floats:
        """The mean of each candidate's request [N]."""
        return np.asarray((np.bincount(self.codes, column, self.count) / np.maximum(self.sizes, 1))[self.codes])

    def least(self, column: Floats) -> Floats:
        """The least value of each candidate's request [N]."""
        least = np.full(self.count, np.inf)
        np.minimum.at(least, self.codes, column)
        return np.asarray(least[self.codes])

    def greatest(self, column: Floats) -> Floats:
        """The greatest value of each candidate's request [N]."""
        return -self.least(-column)

    def middle(self, column: Floats) -> Floats:
        """The lower median of each candidate's request [N]: a value that one of its candidates has."""
        order = np.lexsort((column, self.codes))
        starts = np.cumsum(self.sizes) - self.sizes
        places = starts + np.maximum(self.sizes - 1, 0) // 2
        return np.asarray(column[order[places[self.codes]]])
