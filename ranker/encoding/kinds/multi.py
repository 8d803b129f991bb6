"""Multi-valued features: several integers or strings per row, embedded and pooled."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import Column, Integers
from ranker.encoding.kinds.base import FEATURE_KINDS, Comparable, CsvType, Fitter, RequestType
from ranker.encoding.kinds.coded import Coded, CodedEncoding, CodedFitter
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.lists import list_codes, pad, padded, ragged, split
from ranker.encoding.vocabulary import Coder

MOST_LISTED = 32
"""Most values of a row that re-ranking compares, so that one long list does not fill the memory."""


@FEATURE_KINDS.register("multi")
class Multi(Coded):
    """Several unordered values per row: a list column, or text with a separator."""

    kind: Literal["multi"]
    separator: str | None = Field(None, min_length=1, description="Splits a text column into values.")
    max_length: int = Field(8, ge=1, le=1024, description="Keep at most this many values of a row, from the start.")
    pooling: Literal["mean", "sum"] = Field("mean", description="How to pool the embeddings of a row's values.")

    compared_as: ClassVar[Comparable | None] = "tags"

    @property
    def csv_type(self) -> CsvType | None:
        """Text to split."""
        return "text"

    def listed(self, column: Column, name: str) -> NDArray[Any]:
        """The first values of each row [N, W], W = ``max_length`` up to ``MOST_LISTED``, then None."""
        return padded(ragged(column, name, self.separator), min(self.max_length, MOST_LISTED))

    def fitter(self, seed: int, fitters: Mapping[str, Fitter]) -> "MultiFitter":
        """Return a fitter of the vocabulary over the values of lists."""
        del seed, fitters
        return MultiFitter(self)

    def encoding(self, coder: Coder, table: NDArray[np.int32]) -> "MultiEncoding":
        """Return the encoding with a fitted coder."""
        return MultiEncoding(self, coder, table)


class MultiFitter(CodedFitter):
    """Counts the values of all lists."""

    def __init__(self, feature: Multi) -> None:
        super().__init__(feature)
        self._separator = feature.separator
        self._lengths: Integers = np.zeros(0, dtype=np.int64)

    def add(self, column: Column, name: str) -> None:
        """Add lists [N]."""
        lists = split(column, name, self._separator, self.coder.kind)
        list_codes(self.counted, lists, name)
        self._lengths = np.diff(lists.offsets)

    def dated(self, days: Integers) -> None:
        """Take the day [N] of the lists added last."""
        super().dated(np.repeat(days, self._lengths))


@dataclass(frozen=True)
class MultiEncoding(CodedEncoding):
    """Ids of the first values of a row, padded with zeros."""

    feature: Multi

    @property
    def request_type(self) -> RequestType:
        """A list of ids, or text to split."""
        return RequestType.of_lists(self.feature.separator, self.coder.kind, self.coder.declared)

    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add ``max_length`` columns of pooled ids."""
        builder.ids(side, name, name, self.feature.max_length, self.feature.pooling)

    def ids(self, column: Column, name: str) -> NDArray[np.int32]:
        """Ids [N, max_length]."""
        lists = split(column, name, self.feature.separator, self.coder.kind)
        return pad(lists, self.table[list_codes(self.coder.codes, lists, name)], self.feature.max_length, np.zeros_like)
