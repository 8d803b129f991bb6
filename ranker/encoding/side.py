"""Encodes the columns of one side: what is looked up once per encoder, and what is done for every batch."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.categorical import CategoricalBlock, CategoricalPart
from ranker.encoding.columns import Column, Integers, common_rows
from ranker.encoding.layout import SideLayout
from ranker.encoding.lists import list_codes, pad, split, table_of, vectors
from ranker.encoding.numeric import BlockPart, NumericBlock, NumericEncoding
from ranker.encoding.statistics import Key, key_of
from ranker.encoding.vocabulary import Coder
from ranker.schema import Categorical, Dense, Feature, Multi, Numeric, Schema, Sequence

Columns: TypeAlias = Mapping[str, Column]
StatisticsInputs: TypeAlias = Callable[[Key], NDArray[np.float32]]


IdReader: TypeAlias = Callable[[Columns], NDArray[np.int32]]


class Parts(NamedTuple):
    """What both sides' features are encoded with, by the name of the feature."""

    coders: Mapping[str, Coder]
    ids: Mapping[str, NDArray[np.int32]]
    numerics: Mapping[str, NumericEncoding]


class SideEncoder:
    """The features of one side, in the layout's places."""

    def __init__(self, schema: Schema, features: Mapping[str, Feature], layout: SideLayout, parts: Parts) -> None:
        self._id_width, self._number_width = layout.id_width, layout.number_width
        self._columns = {name: schema.column(name) for name in features}
        of_ids = [(field, features[field.feature]) for field in layout.ids]
        self._categorical = CategoricalBlock(
            [
                CategoricalPart(name, self._columns[name], parts.coders[name], parts.ids[name], field.start)
                for name, field, feature in ((field.feature, field, feature) for field, feature in of_ids)
                if isinstance(feature, Categorical)
            ]
        )
        self._ids = [
            (slice(field.start, field.start + field.length), self._reader(field.feature, feature, parts))
            for field, feature in of_ids
            if not isinstance(feature, Categorical)
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

    def codes(self, columns: Columns, rows: int) -> Mapping[str, Integers]:
        """Codes [N] of each categorical feature."""
        return self._categorical.codes(columns, rows)

    def encode(
        self, columns: Columns, codes: Mapping[str, Integers], rows: int, statistics: StatisticsInputs
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Ids [N, layout.id_width] and numbers [N, layout.number_width]."""
        ids = np.empty((self._id_width, rows), dtype=np.int32)  # written column by column, and turned at the end
        self._categorical.ids_into(ids, codes)
        for place, read in self._ids:
            ids[place] = read(columns).T
        numbers = np.empty((self._number_width, rows), dtype=np.float32)
        self._block.encode_into(numbers, columns)
        for place, column, size in self._dense:
            numbers[place] = vectors(columns[column], column, size).T
        for place, key in self._statistics:
            numbers[place] = statistics(key).T
        return np.ascontiguousarray(ids.T), np.ascontiguousarray(numbers.T)

    def _reader(self, name: str, feature: Feature, parts: Parts) -> IdReader:
        column = self._columns[name]
        if isinstance(feature, Multi | Sequence):
            table = table_of(name, feature)
            return _list_reader(column, feature, parts.coders[table], parts.ids[table])
        return lambda columns: parts.numerics[name].bucket(columns[column], column)[:, None]


def _list_reader(column: str, feature: Multi | Sequence, coder: Coder, ids: NDArray[np.int32]) -> IdReader:
    length = feature.max_length

    def first(lengths: Integers) -> Integers:
        return np.maximum(lengths - length, 0) if isinstance(feature, Sequence) else np.zeros_like(lengths)

    def read(columns: Columns) -> NDArray[np.int32]:
        lists = split(columns[column], column, feature, coder.kind)
        return pad(lists, ids[list_codes(coder.codes, lists, column)], length, first)

    return read
