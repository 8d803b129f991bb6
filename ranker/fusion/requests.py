"""Grouping of candidates by request, so that a whole log can be fused in one call."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ranker.fusion.base import Floats, FusionError


@dataclass(frozen=True, eq=False)
class Requests:
    """The request of each of N candidates; created by ``Requests.one`` and ``Requests.of``.

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
        """Put all candidates in one request."""
        return cls(np.zeros(candidates, dtype=np.intp), 1)

    @classmethod
    def of(cls, keys: ArrayLike) -> "Requests":
        """Group candidates by equal keys [N] of any type. Raises ``FusionError``."""
        keys = np.asarray(keys)
        if keys.ndim != 1:
            raise FusionError(f"requests must have one key per candidate, got shape {list(keys.shape)}")
        unique, codes = np.unique(keys, return_inverse=True)
        return cls(codes.astype(np.intp), len(unique))

    @cached_property
    def sizes(self) -> NDArray[np.intp]:
        """Number of candidates of each request [count]."""
        return np.bincount(self.codes, minlength=self.count)

    @cached_property
    def size(self) -> NDArray[np.intp]:
        """Number of candidates in each candidate's request [N]."""
        return self.sizes[self.codes]

    def better(self, column: Floats) -> NDArray[np.intp]:
        """Number of candidates in the same request with a larger value [N]."""
        order = np.argsort(-column) if self.count == 1 else np.lexsort((-column, self.codes))
        codes, values = self.codes[order], column[order]
        first = np.ones(len(column), dtype=bool)
        first[1:] = (values[1:] != values[:-1]) | (codes[1:] != codes[:-1])
        # Sorted position -> start of its run of ties, relative to the start of its request.
        begins = np.maximum.accumulate(np.where(first, np.arange(len(column)), 0))
        starts = np.cumsum(self.sizes) - self.sizes
        counts = np.empty(len(column), dtype=np.intp)
        counts[order] = begins - starts[codes]
        return counts

    def mean(self, column: Floats) -> Floats:
        """Mean over each candidate's request [N]."""
        return np.asarray((np.bincount(self.codes, column, self.count) / np.maximum(self.sizes, 1))[self.codes])

    def least(self, column: Floats) -> Floats:
        """Minimum over each candidate's request [N]."""
        least = np.full(self.count, np.inf)
        np.minimum.at(least, self.codes, column)
        return np.asarray(least[self.codes])

    def greatest(self, column: Floats) -> Floats:
        """Maximum over each candidate's request [N]."""
        return -self.least(-column)

    def middle(self, column: Floats) -> Floats:
        """Lower median over each candidate's request [N], which is the value of one of its candidates."""
        order = np.lexsort((column, self.codes))
        starts = np.cumsum(self.sizes) - self.sizes
        places = starts + np.maximum(self.sizes - 1, 0) // 2
        return np.asarray(column[order[places[self.codes]]])
