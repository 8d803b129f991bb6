"""Raw columns -> packed arrays, the same in training and in serving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, ColumnError, Integers, Ragged, pad, ragged, vectors
from ranker.encoding.layout import Layout, LayoutBuilder, Packed, SideLayout
from ranker.encoding.numeric import NumericEncoding
from ranker.encoding.statistics import Combination, Statistics, Sums
from ranker.encoding.vocabulary import Coder, Vocabulary
from ranker.schema import Categorical, Dense, Multi, Numeric, Schema, Sequence

Key: TypeAlias = tuple[str, ...]
HeldOut: TypeAlias = Callable[[Key, Integers], Sums]
Columns: TypeAlias = Mapping[str, Column]


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

        ``held_out`` gives the sums of the rows' own folds, for training rows. Raises ``ColumnError``.
        """
        codes = {
            name: self.coders[name].codes(columns[self.schema.column(name)], self.schema.column(name))
            for features, columns in ((self.schema.context, context), (self.schema.candidate, candidate))
            for name, feature in features.items()
            if isinstance(feature, Categorical)
        }
        context_ids, context_numbers = self._side(self.layout.context, context, codes, held_out)
        candidate_ids, candidate_numbers = self._side(self.layout.candidate, candidate, codes, held_out)
        return Packed(context_ids, context_numbers, candidate_ids, candidate_numbers)

    def _side(
        self, layout: SideLayout, columns: Columns, codes: Mapping[str, Integers], held_out: HeldOut | None
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        rows = len(next(iter(columns.values()))) if columns else 1
        ids = np.zeros((rows, layout.id_width), dtype=np.int32)
        for field in layout.ids:
            ids[:, field.start : field.start + field.length] = self._ids(field.feature, columns, codes)
        numbers = np.zeros((rows, layout.number_width), dtype=np.float32)
        for number in layout.numbers:
            numbers[:, number.start : number.start + number.length] = (
                self._numbers(number.feature, columns)
                if number.feature in self.schema.features
                else self._statistics(key_of(number.feature), codes, held_out)
            )
        return ids, numbers

    def _ids(self, name: str, columns: Columns, codes: Mapping[str, Integers]) -> NDArray[np.int32]:
        feature = self.schema.features[name]
        column = self.schema.column(name)
        if isinstance(feature, Categorical):
            return self.ids[name][codes[name]][:, None]
        if isinstance(feature, Numeric):
            return self.numerics[name].bucket(columns[column], column)[:, None]
        assert isinstance(feature, Multi | Sequence)
        table = table_of(name, feature)
        lists = split(columns[column], column, feature, self.coders[table])
        ids = self.ids[table][list_codes(self.coders[table].codes, lists, column)]
        last = isinstance(feature, Sequence)
        length = feature.max_length
        return pad(lists, ids, length, (lambda n: np.maximum(n - length, 0)) if last else np.zeros_like)

    def _numbers(self, name: str, columns: Columns) -> NDArray[np.float32]:
        feature = self.schema.features[name]
        column = self.schema.column(name)
        if isinstance(feature, Dense):
            return vectors(columns[column], column, feature.size)
        assert isinstance(feature, Numeric)
        return self.numerics[name].encode(columns[column], column, feature.transform)

    def _statistics(self, key: Key, codes: Mapping[str, Integers], held_out: HeldOut | None) -> NDArray[np.float32]:
        joined = self.combinations[key].codes(np.broadcast_arrays(*(codes[name] for name in key)))
        return self.statistics[key].encode(joined, held_out(key, joined) if held_out else None)


def key_name(key: Key) -> str:
    """Name of a key's columns of numbers: ``label_statistics(user_id, tab)``."""
    return f"label_statistics({', '.join(key)})"


def key_of(name: str) -> Key:
    """Return the features that :func:`key_name` joined."""
    return tuple(name.removeprefix("label_statistics(").removesuffix(")").split(", "))


def table_of(name: str, feature: Multi | Sequence) -> str:
    """Name of the feature whose coder and table a list feature uses."""
    return feature.shares if isinstance(feature, Sequence) else name


def split(column: Column, name: str, feature: Multi | Sequence, coder: Coder) -> Ragged:
    """Lists [N] of a column; pieces of text become integers where the vocabulary holds integers."""
    lists = ragged(column, name, feature.separator)
    if feature.separator is None or not isinstance(coder, Vocabulary) or coder.kind == "string":
        return lists

    def parse(values: Column, _: str) -> list[int]:
        parsed = []
        for row, piece in enumerate(values):  # type: ignore[arg-type]
            try:
                parsed.append(int(piece))
            except ValueError:
                raise ColumnError(name, row, piece, "an integer") from None
        return parsed

    return Ragged(list_codes(parse, lists, name), lists.offsets)


def list_codes(codes: Callable[[Column, str], Any], lists: Ragged, name: str) -> Any:
    """Apply ``codes`` to the flat values of lists; an error names the row of the list, not of the flat value."""
    try:
        return codes(lists.values, name)
    except ColumnError as error:
        row = int(np.searchsorted(lists.offsets, error.row, side="right")) - 1
        raise ColumnError(name, row, error.value, f"a list whose every value is {error.expected}") from None


def lay_out(
    schema: Schema,
    tables: Mapping[str, int],
    numerics: Mapping[str, NumericEncoding],
    statistics: Mapping[Key, int],
) -> Layout:
    """Lay out a schema, given the rows of each feature's table and the number of labels of each statistics key."""
    builder = LayoutBuilder()
    for name, feature in schema.features.items():
        if isinstance(feature, Categorical | Multi):
            builder.table(name, tables[name], feature.dimension)
        elif isinstance(feature, Numeric) and feature.transform == "buckets":
            builder.table(name, len(numerics[name].edges) + 2, feature.dimension)
    for name, feature in schema.features.items():
        side = schema.side(name)
        if isinstance(feature, Multi | Sequence):
            builder.ids(side, name, table_of(name, feature), feature.max_length, feature.pooling)
        elif isinstance(feature, Categorical) or (isinstance(feature, Numeric) and feature.transform == "buckets"):
            builder.ids(side, name, name)
        elif isinstance(feature, Numeric):
            builder.numbers(side, name, 2 if numerics[name].has_missing else 1)
        else:
            builder.numbers(side, name, feature.size)
    for key, labels in statistics.items():
        side = "candidate" if any(schema.side(name) == "candidate" for name in key) else "context"
        builder.numbers(side, key_name(key), 1 + labels)
    return builder.build()
