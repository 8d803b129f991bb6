"""Numbers of a log -> standardised inputs, or quantile buckets, fitted in one pass."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, Floats, numbers
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
        buckets = np.searchsorted(np.array(self.edges), values, side="right") + 1
        return np.where(np.isnan(values), 0, buckets).astype(np.int32)

    def encode(self, column: Column, name: str, transform: str) -> NDArray[np.float32]:
        """Inputs [N, 1], or [N, 2] with 1 for missing where training rows lacked values; missing is the mean."""
        values = _transformed(numbers(column, name), transform)
        missing = np.isnan(values)
        scaled = (values - self.mean) / self.deviation
        if transform != "none":
            scaled = np.clip(scaled, -LIMIT, LIMIT)
        scaled[missing] = 0.0
        parts = [scaled, missing] if self.has_missing else [scaled]
        return np.stack(parts, axis=1).astype(np.float32)


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
        values = _transformed(numbers(column, name), self.feature.transform)
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
        deviation = float(np.sqrt(self.squares / self.count)) if self.count else 0.0
        return NumericEncoding(mean=self.mean, deviation=deviation or 1.0, has_missing=self.missing > 0)


def _transformed(values: Floats, transform: str) -> Floats:
    return np.sign(values) * np.log1p(np.abs(values)) if transform == "log1p" else values
