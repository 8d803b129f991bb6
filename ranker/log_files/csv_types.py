"""Kinds of CSV columns, derived from how the schema uses them.

CSV holds only text, so ``02134`` may be a number or a code. Each column that is read gets a :data:`Kind`: ``number``
for numeric features, labels, masks and formula inputs; ``text`` for ``type: string`` and separated text; ``integer``
and ``unsigned`` for ids declared or known to be integers. ``id`` (an undeclared id) and ``time`` (the time of a split)
are resolved once for all files of a log by :mod:`ranker.log_files.resolve`.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Literal, TypeAlias

from ranker.encoding import Encoder
from ranker.encoding.labels import label_columns
from ranker.encoding.weights import weight_columns
from ranker.expressions import Expression
from ranker.schema import Schema

Resolved: TypeAlias = Literal["number", "text", "unsigned", "integer"]
Kind: TypeAlias = Resolved | Literal["id", "time", "number and text"]
ORDER: tuple[Kind, ...] = ("number and text", "number", "text", "unsigned", "integer", "id", "time")
"""Precedence if a column has several kinds: a number also works as an id, an id also as a time.

A column used as both number and text has the first kind; :mod:`ranker.log_files.resolve` decides what it is.
"""


def merged(*tables: Mapping[str, Kind]) -> dict[str, Kind]:
    """Merge tables of kinds by column, by the precedence of ``ORDER``."""
    found: dict[str, Kind] = {}
    for table in tables:
        for column, kind in table.items():
            both = {found.get(column, kind), kind}
            found[column] = "number and text" if both == {"number", "text"} else min(both, key=ORDER.index)
    return found


def schema_kinds(schema: Schema, encoder: Encoder | None = None) -> dict[str, Kind]:
    """Kinds of the columns that a schema reads; with an ``encoder``, ids have the types it was fitted on."""
    tables: list[dict[str, Kind]] = [{column: "number"} for column in (*label_columns(schema), *weight_columns(schema))]
    for name, feature in schema.features.items():
        csv_type = encoder.encodings[name].csv_type if encoder else feature.csv_type
        if csv_type is not None:
            tables.append({schema.column(name): csv_type})
    if schema.label_statistics is not None and schema.label_statistics.fold_by is not None:
        tables.append({schema.label_statistics.fold_by: "id"})
    if schema.within_list is not None:
        tables.append(of_kind("id", schema.within_list.list_columns))
    return merged(*tables)


def formula_kinds(formulas: Iterable[Expression], without: Container[str] = ()) -> dict[str, Kind]:
    """Kinds of the columns that formulas read, other than those in ``without``."""
    tables = [{name: _kind_in(formula, name) for name in formula.names if name not in without} for formula in formulas]
    return merged(*tables)


def _kind_in(formula: Expression, name: str) -> Kind:
    return "text" if name in formula.texts else "number"


def of_kind(kind: Kind, columns: Iterable[str | None]) -> dict[str, Kind]:
    """Assign one kind to columns; None entries are ignored."""
    return {column: kind for column in columns if column is not None}
