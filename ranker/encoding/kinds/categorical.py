"""Categorical features: one integer or string per row, embedded.

Features of one side are encoded together, since the cost of a small request is the number of calls.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import MISSING, Column, Integers, same_type
from ranker.encoding.declared import as_declared
from ranker.encoding.index import table_places
from ranker.encoding.kinds.base import FEATURE_KINDS, Block, Columns, Comparable, CsvType, Fitter, Part, RequestType
from ranker.encoding.kinds.coded import Coded, CodedEncoding, CodedFitter
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.value_types import ValueType
from ranker.encoding.vocabulary import RESERVED, Coder, Vocabulary


@FEATURE_KINDS.register("categorical")
class Categorical(Coded):
    """One integer or string per row."""

    kind: Literal["categorical"]

    single_valued: ClassVar[bool] = True
    identifies: ClassVar[bool] = True
    compared_as: ClassVar[Comparable | None] = "category"

    @property
    def csv_type(self) -> CsvType | None:
        """The declared type; if none, the values decide."""
        return _csv_type(self.type)

    def as_declared(self, column: Column, name: str) -> Column:
        """Convert ids [N] to the declared type."""
        return column if self.type is None else as_declared(column, name, self.type)

    def fitter(self, seed: int, fitters: Mapping[str, Fitter]) -> CodedFitter:
        """Return a fitter of the vocabulary."""
        del seed, fitters
        return CodedFitter(self)

    def encoding(self, coder: Coder, table: NDArray[np.int32]) -> "CategoricalEncoding":
        """Return the encoding with a fitted coder."""
        return CategoricalEncoding(self, coder, table)


class CategoricalEncoding(CodedEncoding):
    """Encodes to one column of ids."""

    @property
    def request_type(self) -> RequestType:
        """One id of the type declared or seen in training."""
        return RequestType(self.coder.kind or "any", declared=self.feature.type)

    @property
    def csv_type(self) -> CsvType | None:
        """The type declared or seen in training."""
        return _csv_type(self.feature.type or self.coder.kind)

    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add one column of ids."""
        builder.ids(side, name, name)

    @classmethod
    def block(cls, parts: Sequence[Part["CategoricalEncoding"]]) -> "CategoricalBlock":
        """Return an encoder for all categorical features of a side."""
        return CategoricalBlock(parts)


class CategoricalBlock(Block):
    """Codes and ids of F features. Features with dense integers are looked up in tables, all at once."""

    def __init__(self, parts: Sequence[Part[CategoricalEncoding]]) -> None:
        coders = [part.encoding.coder for part in parts]
        indices = [coder.index() if isinstance(coder, Vocabulary) else None for coder in coders]
        tables = [(part, index.table) for part, index in zip(parts, indices, strict=True) if index and index.table]
        self._tables = [table.positions for _, table in tables]
        self._low = np.array([[table.low] for _, table in tables], dtype=np.int64)
        self._span = np.array([[table.span] for _, table in tables], dtype=np.uint64)
        rest = [part for part, index in zip(parts, indices, strict=True) if not (index and index.table)]
        self._parts = [*(part for part, _ in tables), *rest]
        self._tabled = [part for part, _ in tables]
        self._places = [(part.name, part.encoding.table, part.ids.start) for part in self._parts if part.ids]

    def codes(self, columns: Columns, rows: int) -> Mapping[str, Integers]:
        """Codes [N] by feature. Raises ``ColumnError``."""
        codes = np.empty((len(self._parts), rows), dtype=np.int64)
        count = len(self._tables)
        if count:
            self._look_up(columns, codes[:count])
        for row, part in zip(codes[count:], self._parts[count:], strict=True):
            row[:] = part.encoding.coder.codes(columns[part.column], part.column)
        return {part.name: row for part, row in zip(self._parts, codes, strict=True)}

    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Write each feature's ids to its row of [I, N]."""
        del numbers, columns
        for name, table, place in self._places:
            table.take(codes[name], out=ids[place], mode="clip")

    def _look_up(self, columns: Columns, codes: Integers) -> None:
        given = [columns[part.column] for part in self._tabled]
        values = same_type(given, np.int64)
        nulls = values is None or (values.size and values.min() == MISSING)
        if values is None or nulls:
            values = np.stack([part.encoding.coder.read(columns[part.column], part.column) for part in self._tabled])
        places = table_places(values, self._low, self._span)
        for table, row, target in zip(self._tables, places, codes, strict=True):
            table.take(row, out=target, mode="clip")
        codes += RESERVED  # -1 (not in the table) becomes UNSEEN
        if nulls:
            codes[values == MISSING] = 0


def _csv_type(known: ValueType | None) -> CsvType:
    types: dict[ValueType | None, CsvType] = {"string": "text", "integer": "integer", "unsigned": "unsigned"}
    return types.get(known, "id")
