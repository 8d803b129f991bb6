"""The candidates of one request: with features of their own, or named by id and looked up."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Column, Packed, Ragged, Text
from ranker.encoding.columns import numbers
from ranker.schema import Schema
from serving.features.items import ItemStore

ContextColumns = Mapping[str, list[Any]]


class Pool(Protocol):
    """N candidates to rank."""

    @property
    def count(self) -> int:
        """N."""

    @property
    def unknown(self) -> list[Any] | None:
        """Ids that the items do not have; ``None`` where nothing was looked up."""

    @property
    def looked_up(self) -> int:
        """How many ids were looked up."""

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """Ids of some candidates, or their positions where they have none."""

    def packed(self, context: ContextColumns) -> Packed:
        """Encode them for a context of one row. Raises ``ColumnError``."""

    def raw(self, feature: str) -> NDArray[Any]:
        """Raw values [N] of a feature: NaN for a missing number, ``None`` for a missing string."""


class Sent:
    """Candidates whose features came with the request."""

    unknown, looked_up = None, 0

    def __init__(self, artifact: Artifact, columns: Mapping[str, Column]) -> None:
        self._artifact, self._columns = artifact, columns
        self.count = len(next(iter(columns.values())))

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """From the request's column."""
        name = self._artifact.schema.candidate_id
        return ranked if name is None else taken(self._columns[self._artifact.schema.column(name)], ranked)

    def packed(self, context: ContextColumns) -> Packed:
        """All encoded together."""
        return self._artifact.encoder.encode(context, self._columns)

    def raw(self, feature: str) -> NDArray[Any]:
        """From the request's column."""
        return raw_values(_declared(self._artifact, feature, self._columns[self._artifact.schema.column(feature)]))


class LookedUp:
    """Candidates named by id. Those that the items do not have are dropped, or have no feature but their id."""

    def __init__(self, artifact: Artifact, store: ItemStore, ids: Column, drop: bool) -> None:
        self._artifact, self._store = artifact, store
        self._feature = str(artifact.schema.candidate_id)
        places = store.places(_declared(artifact, self._feature, ids), self._feature)
        self.looked_up = len(places)
        missing = np.flatnonzero(places < 0)
        self.unknown: list[Any] | None = _plain(taken(ids, missing))
        if drop and len(missing):
            known = np.flatnonzero(places >= 0)
            ids, places = taken(ids, known), places[known]
        self._ids, self._places = ids, places
        self.count = len(places)

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """As the request named them."""
        return taken(self._ids, ranked)

    def packed(self, context: ContextColumns) -> Packed:
        """What was encoded beforehand, joined with the context."""
        encoder = self._artifact.encoder
        items = self._store.encoded(self._places)
        missing = np.flatnonzero(self._places < 0)
        if len(missing):
            schema: Schema = self._artifact.schema
            columns: dict[str, Column] = {schema.column(name): [None] * len(missing) for name in schema.candidate}
            columns[schema.column(self._feature)] = taken(self._ids, missing)
            others = encoder.encode_items(columns)
            items.ids[missing], items.numbers[missing] = others.ids, others.numbers
            for name, codes in items.codes.items():
                codes[missing] = others.codes[name]
        return encoder.join(context, items)

    def raw(self, feature: str) -> NDArray[Any]:
        """From the items; the id from the request."""
        if self._artifact.schema.column(feature) == self._artifact.schema.column(self._feature):
            return raw_values(_declared(self._artifact, self._feature, self._ids))
        return self._store.raw(feature, self._places)


def _declared(artifact: Artifact, feature: str, column: Column) -> Column:
    """A column with its values of the type that the schema declares."""
    return artifact.schema.features[feature].as_declared(column, artifact.schema.column(feature))


def taken(column: Column, places: NDArray[np.intp]) -> Column:
    """Some rows of a column."""
    if isinstance(column, np.ndarray | Text):
        return column[places]
    assert not isinstance(column, Ragged), "ids are single values"
    return [column[place] for place in places.tolist()]


def raw_values(column: Column) -> NDArray[Any]:
    """A column as fusions read it."""
    if isinstance(column, np.ma.MaskedArray) or (isinstance(column, np.ndarray) and column.dtype.kind == "M"):
        return numbers(column, "")
    if isinstance(column, np.ndarray):
        return column
    assert not isinstance(column, Ragged), "fusions read features of one value"
    return np.array(list(column), dtype=object)


def _plain(column: Column) -> list[Any]:
    return column.tolist() if isinstance(column, np.ndarray | Text) else list(column)  # type: ignore[arg-type]
