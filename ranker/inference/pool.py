"""The candidates of one request, for encoding and fusion."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Column, Packed, Ragged, Text
from ranker.encoding.columns import numbers
from ranker.fusion import Candidates, Plan

ContextColumns = Mapping[str, Column]
"""One value per column."""

EXACT = 2**53
"""Whole numbers up to this one are exact as floats."""


class Pool(Protocol):
    """N candidates to rank."""

    @property
    def count(self) -> int:
        """N."""

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """Ids of some candidates, or their positions if they have no ids."""

    def packed(self, context: ContextColumns) -> Packed:
        """Encode the candidates with a context of one row. Raises ``ColumnError``."""

    def raw(self, feature: str) -> NDArray[Any]:
        """Raw values [N] of a feature: NaN for a missing number, ``None`` for a missing string; lists as [N, W]."""


class Sent:
    """Candidates whose features were sent in the request, by the log's column names."""

    def __init__(self, artifact: Artifact, columns: Mapping[str, Column]) -> None:
        self._artifact, self._columns = artifact, columns
        self.count = len(next(iter(columns.values())))

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """Read the request's column."""
        name = self._artifact.schema.candidate_id
        return ranked if name is None else taken(self._columns[self._artifact.schema.column(name)], ranked)

    def packed(self, context: ContextColumns) -> Packed:
        """Encode context and candidates together."""
        return self._artifact.encoder.encode_request(context, self._columns)

    def raw(self, feature: str) -> NDArray[Any]:
        """Read the request's column."""
        return fusion_values(self._artifact, feature, self._columns[self._artifact.schema.column(feature)])


def fusion_input(
    artifact: Artifact, plan: Plan, scores: NDArray[np.float32], pool: Pool, context: ContextColumns
) -> Candidates:
    """Combine scores [N, T] with the raw values of the features that a fusion reads."""
    schema = artifact.schema
    features = {
        name: np.array(raw_values(context[schema.column(name)])[0], dtype=object)
        if name in schema.context
        else pool.raw(name)
        for name in plan.features
    }
    return Candidates.of(plan.objectives, scores, features=features)


def fusion_values(artifact: Artifact, feature: str, column: Column) -> NDArray[Any]:
    """Raw values of a feature as fusions read them: [N], or [N, W] of lists, which end in missing values."""
    name = artifact.schema.column(feature)
    listed = artifact.schema.features[feature].listed(column, name)
    return raw_values(declared(artifact, feature, column)) if listed is None else listed


def declared(artifact: Artifact, feature: str, column: Column) -> Column:
    """Convert a column to the type declared in the schema."""
    return artifact.schema.features[feature].as_declared(column, artifact.schema.column(feature))


def taken(column: Column, places: NDArray[np.intp]) -> Column:
    """Select rows of a column of single values."""
    if isinstance(column, np.ndarray | Text):
        return column[places]
    assert not isinstance(column, Ragged), "ids are single values"
    return [column[place] for place in places.tolist()]


def raw_values(column: Column) -> NDArray[Any]:
    """Convert a column to an array for fusions."""
    if isinstance(column, np.ma.MaskedArray) and column.dtype.kind in "iu":
        return with_missing(column.filled(0), np.ma.getmaskarray(column))
    if isinstance(column, np.ma.MaskedArray) or (isinstance(column, np.ndarray) and column.dtype.kind == "M"):
        return numbers(column, "")
    if isinstance(column, np.ndarray):
        return column
    assert not isinstance(column, Ragged), "fusions read features of one value"
    return np.array(list(column), dtype=object)


def with_missing(whole: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Whole numbers, some of them missing: as floats with NaN, or as objects with None if floats do not hold them."""
    if (whole.max(initial=0) > EXACT or whole.min(initial=0) < -EXACT) and missing.any():
        objects = whole.astype(object)
        objects[missing] = None
        return objects
    return np.where(missing, np.nan, whole) if missing.any() else whole


def plain(column: Column) -> list[Any]:
    """A column of single values as Python objects."""
    return column.tolist() if isinstance(column, np.ndarray | Text) else list(column)  # type: ignore[arg-type]
