"""The candidates of a request: sent with their features, or as ids that are looked up."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Column, Packed, Ragged
from ranker.inference.pool import ContextColumns, Pool, Sent, declared, plain, raw_values, taken
from ranker.schema import Schema
from serving.features.items import ItemStore


class RequestPool(Pool, Protocol):
    """Candidates of a request, sent or looked up."""

    @property
    def unknown(self) -> list[Any] | None:
        """Ids that are not among the items; ``None`` if nothing was looked up."""

    @property
    def looked_up(self) -> int:
        """Number of ids looked up."""

    def sent_values(self, column: str, ranked: NDArray[np.intp]) -> Column | None:
        """Values of a request's column for some candidates; ``None`` if they are not at hand."""


class SentRequest(Sent):
    """Candidates sent with their features."""

    unknown, looked_up = None, 0

    def sent_values(self, column: str, ranked: NDArray[np.intp]) -> Column | None:
        """Values as sent."""
        values = self._columns.get(column)
        return None if values is None else _rows(values, ranked)


class LookedUp:
    """Candidates looked up by id. Unknown ones are dropped, or have no feature but their id."""

    def __init__(self, artifact: Artifact, store: ItemStore, ids: Column, drop: bool) -> None:
        self._artifact, self._store = artifact, store
        self._feature = str(artifact.schema.candidate_id)
        places = store.places(declared(artifact, self._feature, ids), self._feature)
        self.looked_up = len(places)
        missing = np.flatnonzero(places < 0)
        self.unknown: list[Any] | None = plain(taken(ids, missing))
        if drop and len(missing):
            known = np.flatnonzero(places >= 0)
            ids, places = taken(ids, known), places[known]
        self._ids, self._places = ids, places
        self.count = len(places)

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """Ids of the ranked candidates, as sent."""
        return taken(self._ids, ranked)

    def packed(self, context: ContextColumns) -> Packed:
        """The stored encoded items, joined with the context."""
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
            if items.lists is not None and others.lists is not None:
                for stored, sent in zip(items.lists, others.lists, strict=True):
                    stored[missing] = sent
            if items.keys is not None and others.keys is not None:
                items.keys[missing] = others.keys
        return encoder.join(context, items)

    def raw(self, feature: str) -> NDArray[Any]:
        """Raw values of a feature [N], from the items; ids come from the request."""
        if self._artifact.schema.column(feature) == self._artifact.schema.column(self._feature):
            return raw_values(declared(self._artifact, self._feature, self._ids))
        return self._store.raw(feature, self._places)

    def sent_values(self, column: str, ranked: NDArray[np.intp]) -> Column | None:
        """Values of the items, of those columns that fusions read: no others are stored as they were."""
        schema, facts = self._artifact.schema, self._store.facts
        if column == schema.column(self._feature):
            return self.ids(ranked)
        for name in (name for name in (*facts.raw, *facts.text) if schema.column(name) == column):
            if schema.features[name].single_valued:
                return self._store.raw(name, self._places[ranked])
        return None


def _rows(column: Column, places: NDArray[np.intp]) -> Column:
    """Rows of a column of single values or of lists."""
    if not isinstance(column, Ragged):
        return taken(column, places)
    starts, stops = column.offsets[places].tolist(), column.offsets[places + 1].tolist()
    return [plain(column.values[start:stop]) for start, stop in zip(starts, stops, strict=True)]
