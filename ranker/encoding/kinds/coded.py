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
from ranker.encoding.row_moves import RowMoves
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
    expire_after: int | None = Field(
        None, ge=1, description="Days without a row after which a value leaves the vocabulary; by default none does."
    )
    hash_buckets: int | None = Field(
        None, ge=2, le=2**30, description="Number of buckets to hash values into, instead of a vocabulary."
    )

    state_section: ClassVar[str | None] = "coders"

    @model_validator(mode="after")
    def _one_way_to_index(self) -> Self:
        own = self.min_count != 1 or self.max_size is not None or self.expire_after is not None
        if self.hash_buckets is not None and own:
            raise ValueError(
                "hash_buckets excludes min_count, max_size and expire_after: a hashed feature keeps no vocabulary"
            )
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


NEVER = -(2**62)
"""Last day of a value without a dated row."""


class CodedFitter(Fitter):
    """Builds the vocabulary, counts each code, and takes the last day of each."""

    def __init__(self, feature: Coded) -> None:
        self._feature = feature
        self.coder: Coder = (
            Vocabulary(None, [], feature.type)
            if feature.hash_buckets is None
            else HashedVocabulary(feature.hash_buckets, declared=feature.type)
        )
        self._counts: Integers = np.zeros(RESERVED, dtype=np.int64)
        self._last: Integers = np.full(RESERVED, NEVER, dtype=np.int64)
        self._added: Integers = np.zeros(0, dtype=np.int64)
        self._carried = False

    def carry(self, earlier: Encoding, facts: Mapping[str, NDArray[Any]], refit_scales: bool) -> str | None:
        """Extend the earlier vocabulary, with its counts and last days."""
        del refit_scales
        if not isinstance(earlier, CodedEncoding):
            return f"it was of kind {earlier.feature.model_dump()['kind']}"
        coder, feature = earlier.coder, self._feature
        if earlier.feature.hash_buckets != feature.hash_buckets:
            return f"hash_buckets was {earlier.feature.hash_buckets}, and is now {feature.hash_buckets}"
        if feature.type is not None and coder.kind not in (None, feature.type):
            return f"its ids were of type {coder.kind}, and are now declared as {feature.type}"
        if isinstance(coder, HashedVocabulary):
            self.coder = HashedVocabulary(coder.buckets, coder.kind, feature.type, coder.hashed_by)
            return None
        assert isinstance(coder, Vocabulary)
        self.coder = coder.extendable(feature.type)
        self._counts, self._last = facts["counts"].copy(), facts["last_day"].copy()
        if not len(self._counts) == len(self._last) == coder.size:
            raise ValueError(f"expected counts and last days of {coder.size} codes, got {len(self._counts)}")
        self._carried = True
        return None

    def add(self, column: Column, name: str) -> Integers | None:
        """Codes [N] of single ids."""
        return self.counted(column, name)

    def counted(self, values: Column, name: str) -> Integers:
        """Codes [V] of values [V]; new values are added and all are counted."""
        codes = self.coder.add(values, name)
        new = np.bincount(codes, minlength=len(self._counts))
        new[: len(self._counts)] += self._counts
        self._counts, self._added = new, codes
        return codes

    def dated(self, days: Integers) -> None:
        """Take the day [N] of the ids added last."""
        if isinstance(self.coder, HashedVocabulary):
            return
        self._last = _padded(self._last, len(self._counts), NEVER)
        np.maximum.at(self._last, self._added, days)

    def facts(self) -> Arrays:
        """Counts and last days of all codes; none of a hashed feature."""
        if isinstance(self.coder, HashedVocabulary):
            return {}
        size = self.coder.size
        return {"counts": _padded(self._counts, size, 0), "last_day": _padded(self._last, size, NEVER)}

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
        """Embedding row of each code: 0 missing, 1 unknown (and rare or expired values), then by frequency.

        Of more than ``max_size`` values, a first fit keeps the most frequent ones, and a later fit those seen last.
        """
        size, feature = self.coder.size, self._feature
        if feature.hash_buckets is not None:
            return np.arange(size, dtype=np.int32)
        frequency, last = _padded(self._counts, size, 0)[RESERVED:], _padded(self._last, size, NEVER)
        stays = frequency >= feature.min_count
        if feature.expire_after is not None:
            stays &= last[RESERVED:] >= last.max() - feature.expire_after
        order = np.argsort(-frequency, kind="stable")
        kept = order[stays[order]]
        if self._carried and feature.max_size is not None:
            latest = np.argsort(-last[RESERVED:][kept], kind="stable")[: feature.max_size]
            kept = kept[np.sort(latest)]
        kept = kept[: feature.max_size]
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

    def row_moves(self, earlier: Encoding) -> RowMoves | None:
        """Rows of the missing and the unknown value, and of each value that had a row and has one now."""
        if not isinstance(earlier, CodedEncoding) or earlier.feature.hash_buckets != self.feature.hash_buckets:
            return None
        if not isinstance(earlier.coder, Vocabulary):
            return RowMoves.identity(len(self.table))
        kinds = {earlier.coder.kind, self.coder.kind} - {None}
        if len(kinds) > 1 and "string" in kinds:
            return None
        codes = self.coder.codes(earlier.coder.values(), "")
        sources, targets = earlier.table[RESERVED:], self.table[codes]
        held = (sources >= RESERVED) & (targets >= RESERVED)
        reserved = np.arange(RESERVED)
        return RowMoves(np.append(reserved, sources[held]), np.append(reserved, targets[held]))

    def state(self, name: str) -> tuple[Any, Arrays]:
        """The coder and the embedding rows."""
        state, arrays = coder_state(name, self.coder)
        return state, {f"{name}.ids": self.table, **arrays}

    def texts(self) -> Collection[str]:
        """Texts of the vocabulary; none for a hashed feature."""
        values = self.coder.values() if isinstance(self.coder, Vocabulary) else []
        return values if isinstance(values, list) else ()


def _padded(array: Integers, size: int, value: int) -> Integers:
    """The array, with ``value`` up to ``size`` entries."""
    return np.append(array, np.full(max(size - len(array), 0), value, dtype=np.int64))
