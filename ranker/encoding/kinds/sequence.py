"""Sequences: ids in time order that share the vocabulary and embedding table of another feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.encoding.columns import Column, Integers
from ranker.encoding.kinds.base import FEATURE_KINDS, CsvType, Encoding, FeatureKind, Fitter, RequestType
from ranker.encoding.kinds.coded import Coded, CodedEncoding, CodedFitter
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.lists import list_codes, pad, split
from ranker.registry import require_known

TARGET_ATTENTION = ("din", "multi_head")
"""Poolings that attend from the candidate to the list."""


@FEATURE_KINDS.register("sequence")
class Sequence(FeatureKind):
    """Ids in time order, oldest first, that share the embedding table of another feature."""

    kind: Literal["sequence"]
    shares: str = Field(
        description="Categorical feature whose vocabulary and table are shared; with pooling: none, also a multi one."
    )
    separator: str | None = Field(None, min_length=1, description="Splits a text column into ids.")
    max_length: int = Field(20, ge=1, le=1024, description="Keep at most this many ids of a row, the latest.")
    pooling: Literal["mean", "sum", "din", "multi_head", "none"] = Field(
        "mean",
        description="mean, sum; or target attention: din, multi_head, which attend from the candidate feature that "
        "`shares` names; or none: the list is not embedded, and schema.matches looks candidates up in it.",
    )
    heads: int = Field(2, ge=1, le=64, description="Attention heads, for pooling: multi_head.")

    state_section: ClassVar[str | None] = None

    @property
    def attends(self) -> bool:
        """Whether the pooling attends from the candidate."""
        return self.pooling in TARGET_ATTENTION

    @property
    def embedded(self) -> bool:
        """Whether the list has an embedding; otherwise only matches read it."""
        return self.pooling != "none"

    @property
    def csv_type(self) -> CsvType | None:
        """Text to split."""
        return "text"

    def source_of(self, name: str) -> str:
        """The feature whose table is shared."""
        del name
        return self.shares

    def check(self, path: str, context: Mapping[str, FeatureKind], candidate: Mapping[str, FeatureKind]) -> None:
        """Require ``shares`` to name a categorical feature; for target attention, one of the candidate.

        Without an embedding, a multi feature will do.
        """
        known_as = "a categorical feature" if self.embedded else "a categorical or multi feature"
        known = [
            name
            for name, feature in {**context, **candidate}.items()
            if feature.identifies or (not self.embedded and isinstance(feature, Coded))
        ]
        require_known(self.shares, known, f"{path}.shares", known_as)
        if self.attends and self.shares not in candidate:
            raise ValueError(
                f"{path}.pooling: {self.pooling} attends from the candidate, so `shares` must name a candidate "
                f"feature, but {self.shares!r} is a context feature"
            )

    def fitter(self, seed: int, fitters: Mapping[str, Fitter]) -> "SequenceFitter":
        """Return a fitter that checks the ids against the shared vocabulary."""
        del seed
        shared = fitters[self.shares]
        assert isinstance(shared, CodedFitter)  # kinds with codes have one
        return SequenceFitter(self, shared)

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, Encoding]
    ) -> "SequenceEncoding":
        """Rebuild from the shared feature; nothing else is saved."""
        del name, state, arrays
        return self.sharing(encodings)

    def sharing(self, encodings: Mapping[str, Encoding]) -> "SequenceEncoding":
        """Return the encoding based on the shared feature's."""
        shared = encodings[self.shares]
        assert isinstance(shared, CodedEncoding)  # kinds with codes have one
        return SequenceEncoding(self, shared)


class SequenceFitter(Fitter):
    """Adds no values to the shared vocabulary, only their type."""

    def __init__(self, feature: Sequence, shared: CodedFitter) -> None:
        self._feature, self._shared = feature, shared
        self._filled = False

    def add(self, column: Column, name: str) -> None:
        """Check lists [N]; the shared feature must have added its column of this chunk before."""
        coder = self._shared.coder
        lists = split(column, name, self._feature.separator, coder.kind)
        self._filled = self._filled or len(lists.values) > 0
        if coder.kind is not None:
            list_codes(coder.check, lists, name)  # adds no values, but checks types

    def fitted(self, encodings: Mapping[str, Encoding]) -> "SequenceEncoding":
        """Return the encoding based on the shared feature's."""
        return self._feature.sharing(encodings)

    @property
    def empty(self) -> bool:
        """Whether all lists were empty."""
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
        """Add ``max_length`` columns of ids, pooled or attended to; none without an embedding."""
        feature = self.feature
        if not feature.embedded:
            return
        builder.ids(side, name, feature.shares, feature.max_length, feature.pooling, feature.attends, feature.heads)

    def ids(self, column: Column, name: str) -> NDArray[np.int32]:
        """Ids [N, max_length]."""
        coder, length = self.shared.coder, self.feature.max_length
        lists = split(column, name, self.feature.separator, coder.kind)

        def last(lengths: Integers) -> Integers:
            return np.maximum(lengths - length, 0)

        return pad(lists, self.shared.table[list_codes(coder.codes, lists, name)], length, last)
