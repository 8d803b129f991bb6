"""Where each feature lies in the packed arrays that the model reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.numeric import NumericEncoding
from ranker.encoding.statistics import Key, key_name
from ranker.schema import Categorical, Multi, Numeric, Schema
from ranker.schema import Sequence as SequenceFeature


class Packed(NamedTuple):
    """One batch, packed: two arrays a side. N rows a side, or one context row for N candidates."""

    context_ids: NDArray[np.int32]
    context_numbers: NDArray[np.float32]
    candidate_ids: NDArray[np.int32]
    candidate_numbers: NDArray[np.float32]


@dataclass(frozen=True)
class IdField:
    """Columns ``start`` to ``start + length`` of a side's ids: one feature's rows of an embedding table.

    Ids count from the feature's own first row; ``offset`` is where that row lies in the table of its width.
    Id 0 is missing, and padding in pooled fields. A field with a ``target`` is weighed by that candidate feature.
    """

    feature: str
    start: int
    length: int
    dimension: int
    offset: int
    pooling: str | None
    target: str | None = None
    heads: int = 1


@dataclass(frozen=True)
class NumberField:
    """Columns ``start`` to ``start + length`` of a side's numbers."""

    feature: str
    start: int
    length: int


@dataclass(frozen=True)
class SideLayout:
    """The fields of one side, in the order of their columns; ids of one width lie side by side."""

    ids: tuple[IdField, ...]
    numbers: tuple[NumberField, ...]

    @property
    def id_width(self) -> int:
        """Number of columns of ids."""
        return sum(field.length for field in self.ids)

    @property
    def number_width(self) -> int:
        """Number of columns of numbers."""
        return sum(field.length for field in self.numbers)


@dataclass(frozen=True)
class Layout:
    """Both sides, and the rows of the embedding table of each width."""

    context: SideLayout
    candidate: SideLayout
    tables: Mapping[int, int]

    def sides(self) -> Iterator[tuple[str, SideLayout]]:
        """Yield each side with its name."""
        yield "context", self.context
        yield "candidate", self.candidate

    def widths(self) -> tuple[int, int, int, int]:
        """Columns of each array of :class:`Packed`."""
        return (
            self.context.id_width,
            self.context.number_width,
            self.candidate.id_width,
            self.candidate.number_width,
        )

    def places(self) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
        """Start and width of each feature's columns once embedded, by side.

        Ids come first, in the order of their fields, then numbers; what attends to the candidate is the candidate's,
        at its end.
        """
        placed: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]] = ({}, {})
        for places, (_, side) in zip(placed, self.sides(), strict=True):
            widths = [(f.feature, f.dimension) for f in side.ids if f.target is None]
            _append(places, widths + [(f.feature, f.length) for f in side.numbers])
        _append(placed[1], [(f.feature, f.dimension) for f in self.attending()])
        return placed

    def attending(self) -> list[IdField]:
        """Fields of both sides that are weighed by the candidate, in the order of their columns."""
        return [field for _, side in self.sides() for field in side.ids if field.target is not None]

    def embedded(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield side, start, width and number of ids of each embedded feature."""
        context, candidate = self.places()
        for name, side in self.sides():
            for field in side.ids:
                where = "context" if name == "context" and field.target is None else "candidate"
                start, width = (context if where == "context" else candidate)[field.feature]
                yield where, start, width, field.length

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return {**asdict(self), "tables": {str(width): rows for width, rows in self.tables.items()}}


def _append(places: dict[str, tuple[int, int]], widths: Sequence[tuple[str, int]]) -> None:
    start = sum(width for _, width in places.values())
    for name, width in widths:
        places[name] = (start, width)
        start += width


class LayoutBuilder:
    """Collects fields and lays them out."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._offsets: dict[str, tuple[int, int]] = {}
        self._ids: dict[str, list[IdField]] = {"context": [], "candidate": []}
        self._numbers: dict[str, list[NumberField]] = {"context": [], "candidate": []}

    def table(self, feature: str, rows: int, dimension: int) -> None:
        """Reserve rows for a feature in the table of its width."""
        self._offsets[feature] = (self._rows.get(dimension, 0), dimension)
        self._rows[dimension] = self._rows.get(dimension, 0) + rows

    def ids(
        self,
        side: str,
        feature: str,
        table: str,
        length: int = 1,
        pooling: str | None = None,
        attends: bool = False,
        heads: int = 1,
    ) -> None:
        """Add a field that reads the rows reserved for ``table``, and is weighed by that feature if it ``attends``."""
        offset, dimension = self._offsets[table]
        field = IdField(feature, 0, length, dimension, offset, pooling)
        self._ids[side].append(replace(field, target=table, heads=heads) if attends else field)

    def numbers(self, side: str, feature: str, length: int) -> None:
        """Add columns of numbers."""
        start = sum(field.length for field in self._numbers[side])
        self._numbers[side].append(NumberField(feature, start, length))

    def build(self) -> Layout:
        """Lay the fields out: by width, single ids before pooled ones."""

        def arranged(side: str) -> SideLayout:
            fields, start = [], 0
            for field in sorted(self._ids[side], key=lambda f: (f.dimension, f.pooling is not None)):
                fields.append(replace(field, start=start))
                start += field.length
            return SideLayout(tuple(fields), tuple(self._numbers[side]))

        return Layout(arranged("context"), arranged("candidate"), dict(sorted(self._rows.items())))


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
        if isinstance(feature, SequenceFeature):
            builder.ids(side, name, feature.shares, feature.max_length, feature.pooling, feature.attends, feature.heads)
        elif isinstance(feature, Multi):
            builder.ids(side, name, name, feature.max_length, feature.pooling)
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
