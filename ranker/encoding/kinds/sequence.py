"""Sequences: ids in time order that share the vocabulary and the embedding table of another feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import Column, Integers
from ranker.encoding.kinds.base import FEATURE_KINDS, CsvType, Encoding, FeatureKind, Fitter, RequestType
from ranker.encoding.kinds.coded import CodedEncoding, CodedFitter
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.lists import list_codes, pad, split
from ranker.registry import require_known

TARGET_ATTENTION = ("din", "multi_head")
"""Poolings that read the candidate beside the list."""


@FEATURE_KINDS.register("sequence")
class Sequence(FeatureKind):
    """Ids in time order, oldest first, that share the embedding table of another feature."""

    kind: Literal["sequence"]
    shares: str = Field(description="The categorical feature whose vocabulary and table these ids use.")
    separator: str | None = Field(None, min_length=1, description="Splits a text column into ids.")
    max_length: int = Field(20, ge=1, le=1024, description="Keep the last so many ids of a row.")
    pooling: Literal["mean", "sum", "din", "multi_head"] = Field(
        "mean",
        description="mean, sum; or target attention: din, multi_head, which weigh the ids by the candidate's own "
        "feature that they share the table of.",
    )
    heads: int = Field(2, ge=1, le=64, description="Attention heads, for pooling: multi_head.")

    state_section: ClassVar[str | None] = None

    @property
    def attends(self) -> bool:
        """Whether the pooling weighs the ids by the candidate."""
        return self.pooling in TARGET_ATTENTION

    @property
    def csv_type(self) -> CsvType | None:
        """Text, to be split."""
        return "text"

    def source_of(self, name: str) -> str:
        """The feature whose table it shares."""
        del name
        return self.shares

    def check(self, path: str, context: Mapping[str, FeatureKind], candidate: Mapping[str, FeatureKind]) -> None:
        """``shares`` must name a categorical feature, for target attention one of the candidate."""
        known = [name for name, feature in {**context, **candidate}.items() if feature.identifies]
        require_known(self.shares, known, f"{path}.shares", "categorical feature")
        if self.attends and self.shares not in candidate:
            raise ValueError(
                f"{path}.pooling: {self.pooling} weighs ids by the candidate, so `shares` must name a "
                f"candidate feature, and {self.shares!r} is of the context"
            )

    def fitter(self, seed: int, fitters: Mapping[str, Fitter]) -> "SequenceFitter":
        """Return what checks the ids by the shared vocabulary."""
        del seed
        shared = fitters[self.shares]
        assert isinstance(shared, CodedFitter)  # as every kind that identifies has one
        return SequenceFitter(self, shared)

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, Encoding]
    ) -> "SequenceEncoding":
        """Nothing is saved but the shared feature."""
        del name, state, arrays
        return self.sharing(encodings)

    def sharing(self, encodings: Mapping[str, Encoding]) -> "SequenceEncoding":
        """Return the encoding by the shared feature's."""
        shared = encodings[self.shares]
        assert isinstance(shared, CodedEncoding)  # as every kind that identifies has one
        return SequenceEncoding(self, shared)


class SequenceFitter(Fitter):
    """Adds no value to the shared vocabulary, but the type of its values."""

    def __init__(self, feature: Sequence, shared: CodedFitter) -> None:
        self._feature, self._shared = feature, shared
        self._filled = False

    def add(self, column: Column, name: str) -> None:
        """Check lists [N]; the shared feature has taken up its column of the chunk before."""
        coder = self._shared.coder
        lists = split(column, name, self._feature.separator, coder.kind)
        self._filled = self._filled or len(lists.values) > 0
        if coder.kind is not None:
            list_codes(coder.check, lists, name)  # no value to learn, but wrong types show

    def fitted(self, encodings: Mapping[str, Encoding]) -> "SequenceEncoding":
        """Return the encoding by the shared feature's."""
        return self._feature.sharing(encodings)

    @property
    def empty(self) -> bool:
        """Whether every list was empty."""
        return not self._filled


@dataclass(frozen=True)
class SequenceEncoding(Encoding):
    """Ids of the last values of a row, padded with zeros."""

    feature: Sequence
    shared: CodedEncoding

    @property
    def request_type(self) -> RequestType:
        """A list of ids, or text to split."""
        return RequestType.of_lists(self.feature.separator, self.shared.coder.kind, self.shared.coder.declared)

    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add ``max_length`` columns of ids that are pooled, or weighed by the candidate."""
        feature = self.feature
        builder.ids(side, name, feature.shares, feature.max_length, feature.pooling, feature.attends, feature.heads)

    def ids(self, column: Column, name: str) -> NDArray[np.int32]:
        """Ids [N, max_length]."""
        coder, length = self.shared.coder, self.feature.max_length
        lists = split(column, name, self.feature.separator, coder.kind)

        def last(lengths: Integers) -> Integers:
            return np.maximum(lengths - length, 0)

        return pad(lists, self.shared.table[list_codes(coder.codes, lists, name)], length, last)
