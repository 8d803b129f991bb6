"""Resolves one type per column over all files of a log."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from ranker.log_files.csv_facts import Facts, facts_of_values
from ranker.log_files.csv_types import Kind, Resolved
from ranker.log_files.errors import DataError
from ranker.log_files.part import FilePart

Family: TypeAlias = Literal["numbers", "text", "dates or times", "lists"]


def check_families(parts: Sequence[FilePart], kinds: Mapping[str, Kind], columns: Iterable[str]) -> None:
    """Raise ``DataError`` naming two Parquet files in which a column has incompatible types."""
    for column in columns:
        if kinds.get(column) not in ("id", "number", "number and text"):
            continue
        typed = [(part, _family_of(part, column)) for part in parts]
        held = [(part, family) for part, family in typed if family is not None]
        for (first, one), (second, other) in pairwise(held):
            if one != other:
                raise DataError(
                    f"column {column!r} holds {one} in {first.name} ({_type_of(first, column)}) and {other} in "
                    f"{second.name} ({_type_of(second, column)}); all files must hold the same"
                )


def resolve(parts: Sequence[FilePart], kinds: Mapping[str, Kind]) -> dict[str, Resolved]:
    """Resolved kinds by column; undeclared ids and times are resolved from the content of all files.

    Ids have the Parquet files' type; without Parquet files they are integers if every value in CSV files and folder
    names is a canonical, unquoted integer, else text. Raises ``DataError`` for a column used both as number and as
    text, unless all its values are such integers, which mean the same as either.
    """
    unresolved = [column for column, kind in kinds.items() if kind in ("id", "time", "number and text")]
    held = {column: _held(parts, column) for column in unresolved if kinds[column] == "id"}
    unknown = [column for column in unresolved if held.get(column) in (None, "integer")]
    facts = dict.fromkeys(unknown, Facts())
    for part in parts:
        for column, found in part.facts([c for c in unknown if c in part.own_columns()]).items():
            facts[column] &= found
        for column in unknown:
            if part.in_path(column):
                facts[column] &= facts_of_values(pa.array([part.folders[column]], pa.string()))
    resolved: dict[str, Resolved] = {}
    for column, kind in kinds.items():
        if kind == "id":
            resolved[column] = _id_kind(held[column], facts.get(column))
        elif kind == "time":
            resolved[column] = "number" if facts[column].number else "text"
        elif kind == "number and text":
            resolved[column] = _both(parts, column, facts[column])
        else:
            resolved[column] = kind
    return resolved


def _id_kind(held: Resolved | None, facts: Facts | None) -> Resolved:
    if facts is None:
        return held or "text"
    facts = facts if held else facts.as_ids
    return "unsigned" if facts.unsigned and not facts.integer else held or ("integer" if facts.integer else "text")


def _both(parts: Sequence[FilePart], column: str, facts: Facts) -> Resolved:
    if (facts.integer or facts.unsigned) and not facts.whole:
        return "integer" if facts.integer else "unsigned"
    name = next(part.name for part in parts if part.holds_text(column))
    raise DataError(
        f"column {column!r} is read as a number (by a numeric feature, a label, a mask or a formula) and as text (by a "
        f"categorical with type: string, or a multi or sequence); in CSV files and folders such as {name} this needs "
        "all values to be integers without quotes or leading zeros. Use one column per use, or use Parquet"
    )


def _held(parts: Sequence[FilePart], column: str) -> Resolved | None:
    """The kind of an id column in the Parquet files, if there are any."""
    for part in parts:
        family = _family_of(part, column)
        if family == "numbers":
            return "unsigned" if pa.types.is_uint64(_type_of(part, column)) else "integer"
        if family is not None:
            return "number" if family == "dates or times" else "text"
    return None


def _type_of(part: FilePart, column: str) -> Any:
    kind = part.type_of(column)
    return kind.value_type if kind is not None and pa.types.is_dictionary(kind) else kind


def _family_of(part: FilePart, column: str) -> Family | None:
    """Family of a column's type in a Parquet file; ``None`` for no values and for types rejected elsewhere."""
    kind, types = _type_of(part, column), pa.types
    if kind is None:
        return None
    if any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)):
        return "numbers"
    if any(test(kind) for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary,
                                   types.is_string_view, types.is_fixed_size_binary)):  # fmt: skip
        return "text"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "dates or times"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "lists"
    return None
