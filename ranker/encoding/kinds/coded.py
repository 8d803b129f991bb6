"""Base of id kinds with their own vocabulary: options, fitting and saving."""

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from ranker.encoding.columns import Column, Integers
from ranker.encoding.declared import IdType
from ranker.encoding.kinds.base import Arrays, Encoding, FeatureKind, Fitter
from ranker.encoding.layout import LayoutBuilder
from ranker.encoding.saved_vocabulary import coder_state, restored_coder
from ranker.encoding.vocabulary import RESERVED, UNSEEN, Coder, HashedVocabulary, Vocabulary


class Coded(FeatureKind):
    """Config of a feature whose values are embedded, by a vocabulary or by hashing."""

    type: IdType | None = Field(
        None,
        description="Type of the values in logs, items and requests; default: that of the log's first values. string: "
        "integers are converted to text, 7 to '7'. integer: digits are converted to integers, and 02134 is an error. "
        "unsigned: integers from 0 to 2**64 - 1.",
    )
    dimension: int = Field(16, ge=1, le=1024, description="Width of the embedding.")
    min_count: int = Field(1, ge=1, description="Values seen less often share the unknown bucket.")
    max_size: int | None = Field(None, ge=1, description="Maximum vocabulary size; keeps the most frequent values.")
    hash_buckets: int | None = Field(
        None, ge=2, le=2**30, description="Number of buckets to hash values into, instead of a vocabulary."
    )

    state_section: ClassVar[str | None] = "coders"

    @model_validator(mode="after")
    def _one_way_to_index(self) -> Self:
        if self.hash_buckets is not None and (self.min_count != 1 or self.max_size is not None):
            raise ValueError("hash_buckets excludes min_count and max_size: a hashed feature keeps no vocabulary")
        return self

    @property
    def embedding_width(self) -> int | None:
        """Width of the feature's table."""
        return self.dimension

    @abstractmethod
    def encoding(self, coder: Coder, table: NDArray[np.int32]) -> "CodedEncoding":
        """Return the encoding with a fitted coder and the embedding row of each code [C]."""

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, Encoding]
    ) -> "CodedEncoding":
        """Rebuild the coder and the embedding rows."""
        del encodings
        return self.encoding(restored_coder(name, state, arrays, self.type), arrays[f"{name}.ids"])


class CodedFitter(Fitter):
    """Builds the vocabulary and counts each code."""

    def __init__(self, feature: Coded) -> None:
        self._feature = feature
        self.coder: Coder = (
            Vocabulary(None, [], feature.type)
            if feature.hash_buckets is None
            else HashedVocabulary(feature.hash_buckets, declared=feature.type)
        )
        self._counts: Integers = np.zeros(RESERVED, dtype=np.int64)

    def add(self, column: Column, name: str) -> Integers | None:
        """Codes [N] of single ids."""
        return self.counted(column, name)

    def counted(self, values: Column, name: str) -> Integers:
        """Codes [V] of values [V]; new values are added and all are counted."""
        codes = self.coder.add(values, name)
        new = np.bincount(codes, minlength=len(self._counts))
        new[: len(self._counts)] += self._counts
        self._counts = new
        return codes

    def fitted(self, encodings: Mapping[str, Encoding]) -> "CodedEncoding":
        """Return the encoding; frequent values get the first rows of the table."""
        del encodings
        return self._feature.encoding(self.coder, self._table())

    @property
    def empty(self) -> bool:
        """Whether only missing values were seen."""
        return not self._counts[1:].any()  # code 0 is missing

    @property
    def size(self) -> int:
        """Number of codes, including the two reserved ones."""
        return self.coder.size

    def _table(self) -> NDArray[np.int32]:
        """Embedding row of each code: 0 missing, 1 unknown (and rare values), then by frequency."""
        size, feature = self.coder.size, self._feature
        if feature.hash_buckets is not None:
            return np.arange(size, dtype=np.int32)
        counts = np.concatenate([self._counts, np.zeros(max(size - len(self._counts), 0), dtype=np.int64)])
        frequency = counts[RESERVED:]
        order = np.argsort(-frequency, kind="stable")
        kept = order[frequency[order] >= feature.min_count][: feature.max_size]
        rows = np.full(size, UNSEEN, dtype=np.int32)
        rows[0] = 0
        rows[kept + RESERVED] = np.arange(len(kept), dtype=np.int32) + RESERVED
        return rows


@dataclass(frozen=True)
class CodedEncoding(Encoding):
    """A coder, and the embedding row of each of its codes [C]."""

    feature: Coded
    coder: Coder
    table: NDArray[np.int32]

    def reserve(self, builder: LayoutBuilder, name: str) -> None:
        """Reserve the embedding rows."""
        builder.table(name, int(self.table.max()) + 1, self.feature.dimension)

    def state(self, name: str) -> tuple[Any, Arrays]:
        """The coder and the embedding rows."""
        state, arrays = coder_state(name, self.coder)
        return state, {f"{name}.ids": self.table, **arrays}

    def texts(self) -> Collection[str]:
        """Texts of the vocabulary; none for a hashed feature."""
        values = self.coder.values() if isinstance(self.coder, Vocabulary) else []
        return values if isinstance(values, list) else ()
