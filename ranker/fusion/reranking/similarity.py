"""Similarity of M candidates by features, a row of the symmetric positive semi-definite matrix [M, M] at a time."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.kinds.base import Comparable
from ranker.fusion.base import Floats
from ranker.fusion.reranking.base import Indices, Request

MISSING = -1


class Similarity(ABC):
    """Similarity of candidates: 1 with itself, 0 between unrelated ones, and with candidates without a value."""

    @abstractmethod
    def row(self, candidate: int) -> Floats:
        """Similarity of all candidates [M] with one."""


class Categories(Similarity):
    """1 for the same value, else 0."""

    def __init__(self, values: NDArray[Any]) -> None:
        codes: dict[Any, int] = {}
        listed = values.tolist()
        # A missing value is a value of its own, so that candidates without one are not alike.
        self._codes = np.array(
            [-1 - i if v is None or v != v else codes.setdefault(v, len(codes)) for i, v in enumerate(listed)]
        )

    def row(self, candidate: int) -> Floats:
        """Equality with one."""
        return np.asarray(self._codes == self._codes[candidate], dtype=np.float64)


class Vectors(Similarity):
    """Cosine of vectors [M, D]. A vector of zeros, or with a missing number, is like no other."""

    def __init__(self, values: NDArray[Any]) -> None:
        matrix = values.astype(np.float64)
        sizes = np.sqrt((matrix * matrix).sum(axis=1, keepdims=True))
        self._units = np.where(sizes > 0, matrix, 0.0) / np.where(sizes > 0, sizes, 1.0)

    def row(self, candidate: int) -> Floats:
        """Cosine with one."""
        similar = self._units @ self._units[candidate]
        similar[candidate] = 1.0
        return np.asarray(similar)


class Tags(Similarity):
    """Jaccard similarity of sets, given as rows [M, W], W > 0, with missing values. An empty set is like no other.

    Memory and time of a row are those of the values, however many distinct ones there are.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        codes: dict[Any, int] = {}
        numbered = map(codes.setdefault, values.ravel().tolist(), count())
        tags = np.fromiter(numbered, np.intp, values.size).reshape(values.shape)
        tags[(tags == codes.get(None, MISSING)) | (values != values)] = MISSING
        tags.sort(axis=1)
        tags[:, 1:][tags[:, 1:] == tags[:, :-1]] = MISSING  # a set holds a tag once
        self._sizes = (tags != MISSING).sum(axis=1)
        # A tag of one candidate alone is in no intersection.
        times = np.bincount(tags[tags != MISSING], minlength=1)
        tags[(times <= 1)[tags]] = MISSING
        distinct, of_rows = np.unique(tags, return_inverse=True)
        self._tags = np.ascontiguousarray(of_rows.reshape(tags.shape).T)  # [W, M]
        self._missing = distinct == MISSING

    def row(self, candidate: int) -> Floats:
        """Size of the intersection with one's set, divided by that of the union."""
        own = np.zeros(len(self._missing))
        own[self._tags[:, candidate]] = 1.0
        own[self._missing] = 0.0
        common = own[self._tags].sum(axis=0)
        union = self._sizes + self._sizes[candidate] - common
        similar = common / np.maximum(union, 1.0)
        similar[candidate] = 1.0
        return np.asarray(similar)


class Numbers(Similarity):
    """``exp(-d / 2)`` of the mean squared distance d of numbers [M, D] in standard deviations of these candidates."""

    def __init__(self, values: Floats) -> None:
        # By the largest value first, whose square could otherwise overflow.
        largest = np.nanmax(np.abs(values), axis=0, initial=0.0, where=~np.isnan(values))
        scaled = values / np.where(largest > 0, largest, 1.0)
        self._missing = np.asarray(np.isnan(scaled).any(axis=1))
        known = scaled[~self._missing]
        deviations = known.std(axis=0) if len(known) else np.ones(values.shape[1])
        self._values = np.where(self._missing[:, None], 0.0, scaled) / np.where(deviations > 0, deviations, 1.0)

    def row(self, candidate: int) -> Floats:
        """Similarity with one; 0 where a number is missing."""
        apart = self._values - self._values[candidate]
        similar = np.exp(-0.5 * np.mean(apart * apart, axis=1))
        if self._missing.any():
            similar = np.where(self._missing | self._missing[candidate], 0.0, similar)
            similar[candidate] = 1.0
        return np.asarray(similar)


class Mean(Similarity):
    """Mean of several similarities."""

    def __init__(self, parts: Sequence[Similarity]) -> None:
        self._parts = parts

    def row(self, candidate: int) -> Floats:
        """Mean similarity with one."""
        return np.asarray(sum(part.row(candidate) for part in self._parts) / len(self._parts))


KINDS: Mapping[Comparable, type[Categories | Vectors | Tags]] = {
    "category": Categories,
    "vector": Vectors,
    "tags": Tags,
}
"""Similarity by one feature; those of all numbers together are ``Numbers``."""


def similarity(names: Sequence[str], kinds: Mapping[str, Comparable], values: Mapping[str, NDArray[Any]]) -> Similarity:
    """Similarity of M candidates by named features: the mean over those of each kind but numbers, and of all numbers.

    ``values`` are [M], of tags [M, W] and of vectors [M, D].
    """
    parts: list[Similarity] = [KINDS[kinds[name]](values[name]) for name in names if kinds[name] in KINDS]
    numeric = [np.asarray(values[name], dtype=np.float64) for name in names if kinds[name] == "number"]
    if numeric:
        parts.append(Numbers(np.stack(numeric, axis=1)))
    return parts[0] if len(parts) == 1 else Mean(parts)


def similar(names: Sequence[str], request: Request, places: Indices) -> Similarity:
    """Similarity of the candidates at some places of a request by named features."""
    return similarity(names, request.readable.compared, {name: request.values(name, places) for name in names})
