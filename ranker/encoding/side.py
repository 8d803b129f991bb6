"""Encodes the columns of one side: what is looked up once per encoder, and what is done for every batch."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Column, Integers, common_rows
from ranker.encoding.layout import SideLayout
from ranker.encoding.lists import list_codes, pad, split, table_of, vectors
from ranker.encoding.numeric import BlockPart, NumericBlock, NumericEncoding
from ranker.encoding.statistics import Key, key_of
from ranker.encoding.vocabulary import Coder
from ranker.schema import Categorical, Dense, Feature, Multi, Numeric, Schema, Sequence

Columns: TypeAlias = Mapping[str, Column]
StatisticsInputs: TypeAlias = Callable[[Key], NDArray[np.float32]]


IdReader: TypeAlias = Callable[[Columns, Mapping[str, Integers]], NDArray[np.int32]]


class Parts(NamedTuple):
    """What both sides' features are encoded with, by the name of the feature."""

    coders: Mapping[str, Coder]
    ids: Mapping[str, NDArray[np.int32]]
    numerics: Mapping[str, NumericEncoding]


class SideEncoder:
    """The features of one side, in the layout's places."""

    def __init__(self, schema: Schema, features: Mapping[str, Feature], layout: SideLayout, parts: Parts) -> None:
        self._layout, self._parts = layout, parts
        self._columns = {name: schema.column(name) for name in features}
        self._categorical = [
            (name, self._columns[name], parts.coders[name])
            for name, feature in features.items()
            if isinstance(feature, Categorical)
        ]
        self._ids = [
            (slice(field.start, field.start + field.length), self._reader(field.feature, features[field.feature]))
            for field in layout.ids
        ]
        fields = [(field, features.get(field.feature)) for field in layout.numbers]
        self._block = NumericBlock(
            [
                BlockPart(self._columns[field.feature], feature.transform, parts.numerics[field.feature], field.start)
                for field, feature in fields
                if isinstance(feature, Numeric)
            ]
        )
        self._dense = [
            (slice(field.start, field.start + field.length), self._columns[field.feature], feature.size)
            for field, feature in fields
            if isinstance(feature, Dense)
        ]
        self._statistics = [
            (slice(field.start, field.start + field.length), key_of(field.feature))
            for field, feature in fields
            if feature is None
        ]

    def rows(self, columns: Columns) -> int:
        """Return the number of rows [N]. Raises ``ColumnError`` where a column is missing or of another length."""
        return common_rows(columns, self._columns.values())

    def codes(self, columns: Columns) -> dict[str, Integers]:
        """Codes [N] of each categorical feature."""
        return {name: coder.codes(columns[column], column) for name, column, coder in self._categorical}

    def encode(
        self, columns: Columns, codes: Mapping[str, Integers], rows: int, statistics: StatisticsInputs
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Ids [N, layout.id_width] and numbers [N, layout.number_width]."""
        ids = np.empty((rows, self._layout.id_width), dtype=np.int32)
        for place, read in self._ids:
            ids[:, place] = read(columns, codes)
        numbers = np.empty((rows, self._layout.number_width), dtype=np.float32)
        self._block.encode_into(numbers, columns)
        for place, column, size in self._dense:
            numbers[:, place] = vectors(columns[column], column, size)
        for place, key in self._statistics:
            numbers[:, place] = statistics(key)
        return ids, numbers

    def _reader(self, name: str, feature: Feature) -> IdReader:
        column, parts = self._columns[name], self._parts
        if isinstance(feature, Multi | Sequence):
            table = table_of(name, feature)
            return _list_reader(column, feature, parts.coders[table], parts.ids[table])
        if isinstance(feature, Numeric):
            return lambda columns, _: parts.numerics[name].bucket(columns[column], column)[:, None]
        return lambda _, codes: parts.ids[name][codes[name]][:, None]


def _list_reader(column: str, feature: Multi | Sequence, coder: Coder, ids: NDArray[np.int32]) -> IdReader:
    length = feature.max_length

    def first(lengths: Integers) -> Integers:
        return np.maximum(lengths - length, 0) if isinstance(feature, Sequence) else np.zeros_like(lengths)

    def read(columns: Columns, _: Mapping[str, Integers]) -> NDArray[np.int32]:
        lists = split(columns[column], column, feature, coder.kind)
        return pad(lists, ids[list_codes(coder.codes, lists, column)], length, first)

    return read
