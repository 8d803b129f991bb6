"""Raw columns -> packed arrays, the same in training and in serving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Integers
from ranker.encoding.layout import Layout, Packed
from ranker.encoding.numeric import NumericEncoding
from ranker.encoding.side import Columns, Parts, SideEncoder
from ranker.encoding.statistics import Combination, Key, Statistics
from ranker.encoding.vocabulary import Coder
from ranker.schema import Schema

HeldOut: TypeAlias = Callable[[Key, Integers], NDArray[np.float32]]


@dataclass(frozen=True)
class Encoder:
    """A fitted encoding. ``ids[f]`` maps a code of feature ``f`` to its row in the embedding table."""

    schema: Schema
    coders: Mapping[str, Coder]
    ids: Mapping[str, NDArray[np.int32]]
    numerics: Mapping[str, NumericEncoding]
    combinations: Mapping[Key, Combination]
    statistics: Mapping[Key, Statistics]
    layout: Layout

    def encode(self, context: Columns, candidate: Columns, held_out: HeldOut | None = None) -> Packed:
        """Encode columns, keyed by the log's column names, of N rows a side or of one context row and N candidates.

        ``held_out`` maps a key of label statistics and its codes [N] to inputs [N, 1 + L] that leave out the rows'
        own folds, for training rows. Raises ``ColumnError`` for a value that does not fit, a column that is missing
        and one that is shorter than others.
        """
        contexts, candidates = self._sides
        context_rows, rows = contexts.rows(context), candidates.rows(candidate)
        if context_rows not in (1, rows):
            raise ValueError(f"{context_rows} context rows for {rows} candidates: expected 1, or one for each")
        codes = {**contexts.codes(context), **candidates.codes(candidate)}

        def statistics(key: Key) -> NDArray[np.float32]:
            joined = self.combinations[key].codes(np.broadcast_arrays(*(codes[name] for name in key)))
            return held_out(key, joined) if held_out else self.statistics[key].encode(joined)

        return Packed(
            *contexts.encode(context, codes, context_rows, statistics),
            *candidates.encode(candidate, codes, rows, statistics),
        )

    @cached_property
    def _sides(self) -> tuple[SideEncoder, SideEncoder]:
        parts = Parts(self.coders, self.ids, self.numerics)
        return (
            SideEncoder(self.schema, self.schema.context, self.layout.context, parts),
            SideEncoder(self.schema, self.schema.candidate, self.layout.candidate, parts),
        )
