"""What the columns of a CSV file are, by what the schema does with them.

CSV holds only text, so that ``02134`` may be a number or a code. Here each column that is read gets a :data:`Kind`:
``number`` for numeric features, labels, masks and what formulas read; ``text`` for ``type: string`` and text with a
separator; ``integer`` and ``unsigned`` for ids that are declared or known to be so. ``id``, an undeclared id, and
``time``, the time of a split, are resolved once for all files of a log: see :mod:`training.data.files.resolve`.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from ranker.encoding import Encoder
from ranker.encoding.labels import label_columns
from ranker.encoding.weights import weight_columns
from ranker.schema import Schema

Resolved: TypeAlias = Literal["number", "text", "unsigned", "integer"]
Kind: TypeAlias = Resolved | Literal["id", "time", "number and text"]
ORDER: tuple[Kind, ...] = ("number and text", "number", "text", "unsigned", "integer", "id", "time")
"""Of several kinds that one column has, the first counts: a number also serves as an id, an id also as a time.

But no number is text as it stands: such a column is of the first kind, and :mod:`training.data.files.resolve` decides.
"""


def merged(*tables: Mapping[str, Kind]) -> dict[str, Kind]:
    """Kinds by column, of each column the one that counts."""
    found: dict[str, Kind] = {}
    for table in tables:
        for column, kind in table.items():
            both = {found.get(column, kind), kind}
            found[column] = "number and text" if both == {"number", "text"} else min(both, key=ORDER.index)
    return found


def schema_kinds(schema: Schema, encoder: Encoder | None = None) -> dict[str, Kind]:
    """Kinds by column of what a schema reads; with an ``encoder`` ids are of the types that it was fitted to."""
    tables: list[dict[str, Kind]] = [{column: "number"} for column in (*label_columns(schema), *weight_columns(schema))]
    for name, feature in schema.features.items():
        csv_type = encoder.encodings[name].csv_type if encoder else feature.csv_type
        if csv_type is not None:
            tables.append({schema.column(name): csv_type})
    if schema.label_statistics is not None and schema.label_statistics.fold_by is not None:
        tables.append({schema.label_statistics.fold_by: "id"})
    return merged(*tables)


def of_kind(kind: Kind, columns: Iterable[str | None]) -> dict[str, Kind]:
    """Columns, where they are named at all, of one kind."""
    return {column: kind for column in columns if column is not None}
