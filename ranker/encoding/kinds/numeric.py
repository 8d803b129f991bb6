"""Numeric features: one number per row, standardised, unchanged, or in embedded quantile buckets.

Features of one side are encoded together, since the cost of a small request is the number of calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import (
    LARGEST_INPUT,
    Column,
    Floats,
    Integers,
    numbers,
    require,
    require_finite,
    same_type,
    unchecked_numbers,
)
from ranker.encoding.kinds.base import (
    FEATURE_KINDS,
    Arrays,
    Block,
    Columns,
    CsvType,
    Encoding,
    FeatureKind,
    Fitter,
    Part,
    RequestType,
)
from ranker.encoding.kinds.numeric_drift import FEW, bucket_shares, buckets_moved, scale_moved
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.row_moves import RowMoves
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.time_range import EARLIEST, TimeRange

SAMPLE = 100_000
LIMIT = 8.0
"""Standardised values are clipped here, so that an outlier in a request does not dominate all other inputs."""


@FEATURE_KINDS.register("numeric")
class Numeric(FeatureKind):
    """One number per row; null and NaN mean missing."""

    kind: Literal["numeric"]
    transform: Literal["standardise", "log1p", "buckets", "none"] = Field(
        "standardise",
        description="standardise: (x - mean) / sd. log1p: sign(x) log(1 + |x|), then standardised. "
        "buckets: quantile buckets, embedded. none: unchanged.",
    )
    buckets: int = Field(32, ge=2, le=1024, description="Number of quantile buckets, for transform: buckets.")
    dimension: int = Field(16, ge=1, le=1024, description="Width of the embedding, for transform: buckets.")

    state_section: ClassVar[str | None] = "numerics"
    single_valued: ClassVar[bool] = True
    flags_missing: ClassVar[bool] = True
    """Whether a flag tells the model that a number is missing, if training had missing ones."""

    @property
    def bucketed(self) -> bool:
        """Whether numbers are bucketed and embedded."""
        return self.transform == "buckets"

    @property
    def embedding_width(self) -> int | None:
        """Embedding width of the buckets, if any."""
        return self.dimension if self.bucketed else None

    @property
    def csv_type(self) -> CsvType | None:
        """A number."""
        return "number"

    def fitter(self, seed: int, fitters: Mapping[str, Fitter]) -> "NumericFitter":
        """Return a fitter of moments and buckets; ``seed`` is for the sample that defines the buckets."""
        del fitters
        return NumericFitter(self, seed)

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, Encoding]
    ) -> "NumericEncoding":
        """Rebuild the encoding from moments and edges."""
        del name, arrays, encodings
        return NumericEncoding(self, state["mean"], state["deviation"], state["has_missing"], tuple(state["edges"]))


@dataclass(frozen=True)
class NumericEncoding(Encoding):
    """Fitted mean and sd of the transformed value, bucket edges [B - 1], and whether training had missing values."""

    feature: Numeric
    mean: float
    deviation: float
    has_missing: bool
    edges: tuple[float, ...] = ()

    @property
    def request_type(self) -> RequestType:
        """One number."""
        return RequestType("number")

    def reserve(self, builder: LayoutBuilder, name: str) -> None:
        """Reserve an embedding row per bucket and one for missing values."""
        if self.feature.bucketed:
            builder.table(name, len(self.edges) + 2, self.feature.dimension)

    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add an id column for buckets, or a number column and, if training had missing values, a missing flag."""
        if self.feature.bucketed:
            builder.ids(side, name, name)
        else:
            builder.numbers(side, name, 2 if self.has_missing else 1)

    @classmethod
    def block(cls, parts: Sequence[Part["NumericEncoding"]]) -> "NumericBlock":
        """Return an encoder for all numeric features of a side."""
        return NumericBlock(parts)

    def state(self, name: str) -> tuple[Any, Arrays]:
        """Moments and edges."""
        del name
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "has_missing": self.has_missing,
            "edges": list(self.edges),
        }, {}

    def row_moves(self, earlier: Encoding) -> RowMoves | None:
        """All rows if there are as many buckets: the buckets of equal rank."""
        if not self.feature.bucketed or not isinstance(earlier, NumericEncoding) or not earlier.feature.bucketed:
            return None
        same = len(self.edges) == len(earlier.edges)
        return RowMoves.identity(len(self.edges) + 2 if same else 1)  # row 0 is missing

    def bucket(self, column: Column, name: str) -> NDArray[np.int32]:
        """Buckets [N] from 1; 0 is missing."""
        values = numbers(column, name)
        buckets = np.searchsorted(self._edges, values, side="right") + 1
        return np.where(np.isnan(values), 0, buckets).astype(np.int32)

    def time_range(self) -> TimeRange | None:
        """The outer bucket edges, or the mean +- :data:`LIMIT` deviations, for times from 1973 on."""
        if self.feature.bucketed:
            if not self.edges:
                return None
            times = TimeRange(float(np.median(self.edges)), self.edges[0], self.edges[-1])
        elif self.feature.transform == "none":
            return None
        else:
            middle, reach = self.mean, LIMIT * self.deviation
            ends = np.array([middle, middle - reach, middle + reach])
            if self.feature.transform == "log1p":
                with np.errstate(over="ignore"):
                    ends = np.copysign(np.expm1(np.abs(ends)), ends)
            times = TimeRange(*ends.tolist())
        return times if times.typical >= EARLIEST else None

    @cached_property
    def _edges(self) -> Floats:
        return np.array(self.edges, dtype=np.float64)


class NumericBlock(Block):
    """Encodes all numbers of one side together, and bucketed features one by one."""

    def __init__(self, parts: Sequence[Part[NumericEncoding]]) -> None:
        self._buckets = [(part, part.ids.start) for part in parts if part.ids]
        plain = [(part, part.numbers.start) for part in parts if part.numbers]
        # log1p features first, so that they form one slice.
        plain.sort(key=lambda placed: placed[0].encoding.feature.transform != "log1p")
        encodings = [part.encoding for part, _ in plain]
        transforms = [encoding.feature.transform for encoding in encodings]
        self._columns = [part.column for part, _ in plain]
        self._logs = transforms.count("log1p")
        self._means = np.array([[encoding.mean] for encoding in encodings])
        self._deviations = np.array([[encoding.deviation] for encoding in encodings])
        self._places = np.array([start for _, start in plain], dtype=np.intp)
        self._flagged = [row for row, encoding in enumerate(encodings) if encoding.has_missing]
        self._plain = [row for row, transform in enumerate(transforms) if transform == "none"]
        self._limits = np.array([[np.inf if transform == "none" else LIMIT] for transform in transforms])
        self._least = -self._limits

    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Write each feature's bucket to its row of ids [I, N], or its inputs to rows of numbers [F, N].

        The inputs are the number and, if training had missing values, a missing flag. A missing value becomes the mean.
        Raises ``ColumnError``.
        """
        del codes
        for part, place in self._buckets:
            ids[place] = part.encoding.bucket(columns[part.column], part.column)
        if self._columns:
            self._write_numbers(numbers, columns)

    def _write_numbers(self, by_column: NDArray[np.float32], columns: Columns) -> None:
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
class NumericFitter(Fitter):
    """Running mean, variance and a uniform sample of a column. Chan, Golub and LeVeque 1983."""

    feature: Numeric
    seed: int
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    missing: int = 0
    _sample: Floats = field(default_factory=lambda: np.empty((2, 0)))
    _random: np.random.Generator = field(init=False)
    _earlier: NumericEncoding | None = None
    _shares: Floats | None = None
    _refits: bool = False
    _before: int = 0
    """Number of values in earlier fits."""

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)

    def carry(self, earlier: Encoding, facts: Mapping[str, NDArray[Any]], refit_scales: bool) -> str | None:
        """Keep the earlier scale or buckets, unless they are fitted again, or were fitted without any value."""
        if not isinstance(earlier, NumericEncoding):
            return f"it was of kind {earlier.feature.model_dump()['kind']}"
        now, before = self.feature, earlier.feature
        if (now.transform, now.bucketed and now.buckets) != (before.transform, before.bucketed and before.buckets):
            return f"its transform was {_shown(before)}, and is now {_shown(now)}"
        # Artifacts of before have no count; buckets without an edge had no value.
        self._before = int(facts["count"]) if "count" in facts else int(not before.bucketed or len(earlier.edges) > 0)
        self._earlier, self._shares, self._refits = earlier, facts.get("shares"), refit_scales or not self._before
        return None

    def add(self, column: Column, name: str) -> None:
        """Add one chunk."""
        values = numbers(column, name)
        if self.feature.transform == "log1p":
            values = signed_log1p(values)
        known = values[~np.isnan(values)]
        self.missing += len(values) - len(known)
        if not len(known):
            return
        if self.feature.bucketed:
            # The rows with the smallest random keys are a uniform sample of all rows so far.
            keyed = np.concatenate([self._sample, [self._random.random(len(known)), known]], axis=1)
            if keyed.shape[1] > SAMPLE:
                keyed = keyed[:, np.argpartition(keyed[0], SAMPLE)[:SAMPLE]]
            self._sample = keyed
        total = self.count + len(known)
        step = float(known.mean()) - self.mean
        self.squares += float(known.var()) * len(known) + step**2 * self.count * len(known) / total
        self.mean += step * len(known) / total
        self.count = total

    def fitted(self, encodings: Mapping[str, Encoding]) -> NumericEncoding:
        """Return the encoding of all rows added, or the one that is carried on; a missing flag, once there, stays."""
        del encodings
        missing = self.feature.flags_missing and (
            self.missing > 0 or (self._earlier is not None and self._earlier.has_missing)
        )
        if self._earlier is not None and not (self._refits and self.count):
            return replace(self._earlier, feature=self.feature, has_missing=missing)
        edges = self._edges()
        if self.feature.transform in ("none", "buckets"):
            return NumericEncoding(self.feature, mean=0.0, deviation=1.0, has_missing=missing, edges=edges)
        deviation = np.sqrt(self.squares / max(self.count, 1))
        usable = float(usable_deviation(np.array(deviation), np.array(self.mean)))
        return NumericEncoding(self.feature, mean=self.mean, deviation=usable, has_missing=missing)

    @property
    def empty(self) -> bool:
        """Whether all numbers were missing."""
        return self.count == 0

    def facts(self) -> Arrays:
        """Number of values in all fits; fractions by bucket, those of an earlier fit while its buckets are kept."""
        count = {"count": np.array(self._before + self.count)}
        if not self.feature.bucketed:
            return count
        if self._earlier is not None and self._shares is not None and not (self._refits and self.count):
            return {**count, "shares": self._shares}
        return {**count, "shares": bucket_shares(self._sample[1], np.array(self._edges()))}

    def moved(self) -> str | None:
        """How far the added rows lie from the earlier scale or buckets."""
        earlier = self._earlier
        if earlier is None or not self._before or self.count < FEW or self.feature.transform == "none":
            return None
        if not self.feature.bucketed:
            return scale_moved(self.mean, (self.squares / self.count) ** 0.5, earlier.mean, earlier.deviation)
        if self._shares is None or not len(earlier.edges):
            return None
        return buckets_moved(bucket_shares(self._sample[1], np.array(earlier.edges)), self._shares)

    def _edges(self) -> tuple[float, ...]:
        if not self.feature.bucketed or not self.count:
            return ()
        quantiles = np.quantile(self._sample[1], np.linspace(0, 1, self.feature.buckets + 1)[1:-1])
        return tuple(np.unique(quantiles).tolist())


def _shown(feature: Numeric) -> str:
    return f"{feature.buckets} buckets" if feature.bucketed else feature.transform


def signed_log1p(values: Floats) -> Floats:
    """``sign(x) log(1 + |x|)`` of values of any shape; NaN stays NaN."""
    return np.copysign(np.log1p(np.abs(values)), values)
