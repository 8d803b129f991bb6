"""Numeric features: one number per row, as an input, in embedded quantile buckets, or embedded as a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import (
    Column,
    Floats,
    numbers,
)
from ranker.encoding.kinds.base import (
    FEATURE_KINDS,
    Arrays,
    Comparable,
    CsvType,
    Encoding,
    FeatureKind,
    Fitter,
    Part,
    RequestType,
)
from ranker.encoding.kinds.numeric_block import LIMIT, NumericBlock
from ranker.encoding.kinds.numeric_drift import FEW, bucket_shares, buckets_moved, scale_moved
from ranker.encoding.layout import LayoutBuilder, NumberEmbedding, Periodic, Piecewise, Side
from ranker.encoding.piecewise import places, quantile_edges
from ranker.encoding.row_moves import RowMoves
from ranker.encoding.scaling import usable_deviation
from ranker.encoding.time_range import EARLIEST, TimeRange

SAMPLE = 100_000


@FEATURE_KINDS.register("numeric")
class Numeric(FeatureKind):
    """One number per row; null and NaN mean missing."""

    kind: Literal["numeric"]
    transform: Literal["standardise", "log1p", "buckets", "piecewise_linear", "periodic", "none"] = Field(
        "standardise",
        description="standardise: (x - mean) / sd. log1p: sign(x) log(1 + |x|), then standardised. "
        "buckets: quantile buckets, embedded. piecewise_linear: how far each quantile bin is filled. periodic: "
        "standardised, then a trainable embedding of sines and cosines. none: unchanged.",
    )
    buckets: int = Field(32, ge=2, le=1024, description="Number of quantile buckets, for transform: buckets.")
    dimension: int = Field(
        16, ge=1, le=1024, description="Width of the embedding, for transform: buckets and periodic."
    )
    bins: int = Field(16, ge=2, le=256, description="Number of quantile bins, for transform: piecewise_linear.")
    frequencies: int = Field(16, ge=1, le=256, description="Number of frequencies, for transform: periodic.")
    sigma: float = Field(
        0.1,
        gt=0,
        le=1000,
        description="Deviation of the initial frequencies, for transform: periodic; the one to tune.",
    )

    state_section: ClassVar[str | None] = "numerics"
    single_valued: ClassVar[bool] = True
    compared_as: ClassVar[Comparable | None] = "number"
    flags_missing: ClassVar[bool] = True
    """Whether a flag tells the model that a number is missing, if training had missing ones."""

    @property
    def bucketed(self) -> bool:
        """Whether numbers are bucketed and embedded."""
        return self.transform == "buckets"

    @property
    def has_edges(self) -> bool:
        """Whether quantiles of the training values are fitted."""
        return self.transform in ("buckets", "piecewise_linear")

    @property
    def fitted_options(self) -> tuple[str, int | None]:
        """The transform, and how many edges it has: what an earlier fit must share to be carried on."""
        return self.transform, {"buckets": self.buckets, "piecewise_linear": self.bins}.get(self.transform)

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
    """Fitted mean and sd of the transformed value, and whether training had missing values.

    ``edges`` are those between buckets [B - 1], or of bins [B + 1].
    """

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
            embedding = self._embedding
            flags = int(self.has_missing and embedding is not None)
            builder.numbers(side, name, 2 if self.has_missing else 1, embedding, flags)

    @property
    def _embedding(self) -> NumberEmbedding | None:
        """What the model does with the number."""
        if self.feature.transform == "piecewise_linear":
            return Piecewise(len(self.edges) - 1)
        if self.feature.transform == "periodic":
            return Periodic(self.feature.frequencies, self.feature.sigma, self.feature.dimension)
        return None

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

    def place(self, column: Column, name: str) -> NDArray[np.float32]:
        """Places [N] among the edges of the bins; the middle for a missing value."""
        return places(numbers(column, name), self._edges).astype(np.float32)

    def unpacked(self, inputs: Floats) -> Floats:
        """Numbers [N] from inputs [N] of a feature without buckets; those that were cut stay at the limit."""
        if self.feature.has_edges:
            return np.interp(inputs, np.arange(len(self.edges)), self._edges)
        values = inputs * self.deviation + self.mean
        return np.copysign(np.expm1(np.abs(values)), values) if self.feature.transform == "log1p" else values

    def time_range(self) -> TimeRange | None:
        """The outer edges, or the mean +- :data:`LIMIT` deviations, for times from 1973 on."""
        if self.feature.has_edges:
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
        if now.fitted_options != before.fitted_options:
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
        if self.feature.has_edges:
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
        if self.feature.transform == "none" or self.feature.has_edges:
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
        if not self.feature.has_edges:
            return count
        if self._earlier is not None and self._shares is not None and not (self._refits and self.count):
            return {**count, "shares": self._shares}
        return {**count, "shares": bucket_shares(self._sample[1], np.array(self._edges()))}

    def moved(self) -> str | None:
        """How far the added rows lie from the earlier scale or buckets."""
        earlier = self._earlier
        if earlier is None or not self._before or self.count < FEW or self.feature.transform == "none":
            return None
        if not self.feature.has_edges:
            return scale_moved(self.mean, (self.squares / self.count) ** 0.5, earlier.mean, earlier.deviation)
        if self._shares is None or not len(earlier.edges):
            return None
        return buckets_moved(bucket_shares(self._sample[1], np.array(earlier.edges)), self._shares)

    def _edges(self) -> tuple[float, ...]:
        if self.feature.transform == "piecewise_linear":
            edges = np.unique(quantile_edges(self._sample[1], self.feature.bins))
            return tuple(edges.tolist()) if len(edges) > 1 else (float(edges[0]),) * 2
        if not self.feature.bucketed or not self.count:
            return ()
        return tuple(np.unique(quantile_edges(self._sample[1], self.feature.buckets)[1:-1]).tolist())


def _shown(feature: Numeric) -> str:
    transform, edges = feature.fitted_options
    return transform if edges is None else f"{edges} {'buckets' if feature.bucketed else 'bins'}"


def signed_log1p(values: Floats) -> Floats:
    """``sign(x) log(1 + |x|)`` of values of any shape; NaN stays NaN."""
    return np.copysign(np.log1p(np.abs(values)), values)
