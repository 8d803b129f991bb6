"""Numbers of a log -> standardised inputs, or quantile buckets, fitted in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import (
    LARGEST_INPUT,
    Column,
    Floats,
    numbers,
    require,
    require_finite,
    same_type,
    unchecked_numbers,
)
from ranker.schema import Numeric

SAMPLE = 100_000
LIMIT = 8.0
"""Standardised values are cut here: a wild value in a request must not swamp all other inputs."""


@dataclass(frozen=True)
class NumericEncoding:
    """What a numeric feature learnt: mean and sd of the transformed value, edges [B - 1], and missing or not."""

    mean: float
    deviation: float
    has_missing: bool
    edges: tuple[float, ...] = ()

    def bucket(self, column: Column, name: str) -> NDArray[np.int32]:
        """Bucket [N] counted from 1; 0 is missing."""
        values = numbers(column, name)
        buckets = np.searchsorted(self._edges, values, side="right") + 1
        return np.where(np.isnan(values), 0, buckets).astype(np.int32)

    @cached_property
    def _edges(self) -> Floats:
        return np.array(self.edges, dtype=np.float64)


class BlockPart(NamedTuple):
    """A numeric feature of a :class:`NumericBlock`: where it is read from, how, and its first column of inputs."""

    column: str
    transform: str
    encoding: NumericEncoding
    start: int


class NumericBlock:
    """Encodes the numbers of one side together: a request of few rows costs what its calls cost, not its values."""

    def __init__(self, parts: Sequence[BlockPart]) -> None:
        # Logarithms first, so that they are one slice.
        self._parts = sorted(parts, key=lambda part: part.transform != "log1p")
        self._columns = [part.column for part in self._parts]
        self._logs = sum(part.transform == "log1p" for part in self._parts)
        self._means = np.array([[part.encoding.mean] for part in self._parts])
        self._deviations = np.array([[part.encoding.deviation] for part in self._parts])
        self._places = np.array([part.start for part in self._parts], dtype=np.intp)
        self._flagged = [row for row, part in enumerate(self._parts) if part.encoding.has_missing]
        self._plain = [row for row, part in enumerate(self._parts) if part.transform == "none"]
        self._limits = np.array([[np.inf if part.transform == "none" else LIMIT] for part in self._parts])
        self._least = -self._limits

    def encode_into(self, by_column: NDArray[np.float32], columns: Mapping[str, Column]) -> None:
        """Write each feature's inputs to its rows of [W, N]: one, and behind it 1 for missing where training met that.

        A missing value is the mean. Raises ``ColumnError``.
        """
        if not self._parts:
            return
        given = [columns[name] for name in self._columns]
        values = same_type(given, np.float64)
        if values is None:
            values = np.stack(
                [unchecked_numbers(column, name) for column, name in zip(given, self._columns, strict=True)]
            )
        sizes = np.abs(values)
        require_finite(values, sizes, self._columns)
        for row in self._plain:
            too_large = sizes[row] > LARGEST_INPUT
            require(~too_large, values[row], self._columns[row], f"a number of at most {LARGEST_INPUT:g} in size")
        if self._logs:
            logarithms = np.log1p(sizes[: self._logs])
            np.copysign(logarithms, values[: self._logs], out=values[: self._logs])
        missing = np.isnan(values)
        values -= self._means
        values /= self._deviations
        np.maximum(values, self._least, out=values)
        np.minimum(values, self._limits, out=values)
        np.copyto(values, 0.0, where=missing)
        by_column[self._places] = values
        if self._flagged:
            by_column[self._places[self._flagged] + 1] = missing[self._flagged]


@dataclass
class NumericFitter:
    """Running mean, variance and a uniform sample of a column. Chan, Golub and LeVeque 1983."""

    feature: Numeric
    seed: int
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    missing: int = 0
    _sample: Floats = field(default_factory=lambda: np.empty((2, 0)))
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def add(self, column: Column, name: str) -> None:
        """Take up one chunk."""
        values = numbers(column, name)
        if self.feature.transform == "log1p":
            values = signed_log1p(values)
        known = values[~np.isnan(values)]
        self.missing += len(values) - len(known)
        if not len(known):
            return
        if self.feature.transform == "buckets":
            # The smallest of random keys are a uniform sample of all rows seen so far.
            keyed = np.concatenate([self._sample, [self._random.random(len(known)), known]], axis=1)
            if keyed.shape[1] > SAMPLE:
                keyed = keyed[:, np.argpartition(keyed[0], SAMPLE)[:SAMPLE]]
            self._sample = keyed
        total = self.count + len(known)
        step = float(known.mean()) - self.mean
        self.squares += float(known.var()) * len(known) + step**2 * self.count * len(known) / total
        self.mean += step * len(known) / total
        self.count = total

    def fitted(self) -> NumericEncoding:
        """Return what the chunks taught."""
        edges: tuple[float, ...] = ()
        if self.feature.transform == "buckets" and self.count:
            quantiles = np.quantile(self._sample[1], np.linspace(0, 1, self.feature.buckets + 1)[1:-1])
            edges = tuple(np.unique(quantiles).tolist())
        if self.feature.transform in ("none", "buckets"):
            return NumericEncoding(mean=0.0, deviation=1.0, has_missing=self.missing > 0, edges=edges)
        deviation = np.sqrt(self.squares / max(self.count, 1))
        usable = float(usable_deviation(np.array(deviation), np.array(self.mean)))
        return NumericEncoding(mean=self.mean, deviation=usable, has_missing=self.missing > 0)


def signed_log1p(values: Floats) -> Floats:
    """``sign(x) log(1 + |x|)`` of values of any shape; NaN stays NaN."""
    return np.copysign(np.log1p(np.abs(values)), values)


def usable_deviation(deviation: Floats, mean: Floats) -> Floats:
    """Deviations to divide by: 1 where one is no more than the rounding of its mean, as of a constant column."""
    return np.where(deviation > np.maximum(1e-12 * np.abs(mean), 1e-30), deviation, 1.0)
