"""DataFrames, Arrow tables and dicts -> encoder columns, by the log's column names."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ranker.encoding import Column, ColumnError, Encoder, Ragged, Text
from ranker.encoding.columns import shortened, unequal_lengths
from ranker.registry import suggestion
from ranker.schema import Feature, Schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Table: TypeAlias = "pd.DataFrame | pa.Table | pa.RecordBatch | Mapping[str, Any]"
"""N rows: a DataFrame, an Arrow table, or columns [N] by name (lists, NumPy arrays, Arrow arrays, Series)."""


class InputError(ValueError):
    """An input that cannot be scored; the message names the side, column, row and value."""


def context_columns(schema: Schema, encoder: Encoder, context: Table) -> dict[str, Column]:
    """Convert a context to columns of one row; a mapping has one value per column, a table one row.

    Raises ``InputError`` for a column that is missing or of the wrong type, and for another number of rows.
    """
    names = _columns(schema, schema.context)
    if _is_table(context):
        columns = _picked("context", names, context, encoder)
        rows = {len(values) for values in columns.values()}
        if rows - {1}:
            raise InputError(f"context: must have one row, got {max(rows)}")
        return columns
    row = {name: [value] for name, value in _mapping("context", context).items()}
    return _picked("context", names, row, encoder)


def candidate_columns(schema: Schema, encoder: Encoder, candidates: Table) -> dict[str, Column]:
    """Convert N candidates to columns. Raises ``InputError`` for a missing column or a wrong type or length."""
    columns = _picked("candidates", _columns(schema, schema.candidate), candidates, encoder)
    for name, problem in unequal_lengths(columns).items():
        raise InputError(f"candidates.{name}: {problem}")
    return columns


def input_error(error: ColumnError, side: str) -> InputError:
    """Convert an encoder error to an input error; ``side`` is ``context`` or ``candidates``."""
    row = f", row {error.row}" if side == "candidates" else ""
    return InputError(f"{side}.{error.column}{row}: must be {error.expected}, got {shortened(error.value)}")


def _columns(schema: Schema, features: Mapping[str, Feature]) -> dict[str, list[str]]:
    """Features by the column they read."""
    by_column: dict[str, list[str]] = {}
    for name in features:
        by_column.setdefault(schema.column(name), []).append(name)
    return by_column


def _is_table(table: Any) -> bool:
    return not isinstance(table, Mapping) and hasattr(table, "columns")


def _mapping(side: str, table: Any) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise InputError(f"{side}: must be a DataFrame, an Arrow table or a dict by column, got {type(table).__name__}")
    return table


def _picked(side: str, names: Mapping[str, list[str]], table: Any, encoder: Encoder) -> dict[str, Column]:
    """Select the columns that the schema reads; other columns are ignored."""
    known = _names(side, table)
    columns: dict[str, Column] = {}
    missing = [name for name, features in names.items() if name not in known and _required(encoder, features)]
    if missing:
        hint = suggestion(missing[0], known)
        raise InputError(f"{side}: has no column {missing[0]!r}{hint} (the model reads {', '.join(names)})")
    rows = 0
    for name, features in names.items():
        if name in known:
            columns[name] = _column(side, name, _values(side, name, table))
            rows = len(columns[name])
            _check_times(side, name, features, columns[name], encoder)
    return columns | {name: [None] * rows for name in names if name not in known}


def _required(encoder: Encoder, features: Iterable[str]) -> bool:
    return any(encoder.schema.features[feature].required for feature in features)


def _names(side: str, table: Any) -> list[str]:
    if not _is_table(table):
        return list(_mapping(side, table))
    names = [str(name) for name in (table.schema.names if hasattr(table, "schema") else table.columns)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{side}: has column {name!r} more than once")
    return names


def _values(side: str, name: str, table: Any) -> Any:
    if not _is_table(table):
        return table[name]
    if hasattr(table, "schema"):  # Arrow
        return table.column(name)
    return table.iloc[:, _names(side, table).index(name)]


def _column(side: str, name: str, values: Any) -> Column:
    """Convert values to an encoder column; Arrow arrays and pandas Series go through Arrow, as in training."""
    if isinstance(values, list | tuple | Text | Ragged):
        return list(values) if isinstance(values, tuple) else values
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return values
    if isinstance(values, np.ndarray):
        objects: list[Any] = values.tolist()
        return objects
    if (
        not hasattr(values, "__arrow_array__")
        and not hasattr(values, "__arrow_c_array__")
        and not hasattr(values, "__arrow_c_stream__")
    ):
        raise InputError(
            f"{side}.{name}: must be a list, a NumPy or Arrow array or a Series, got {type(values).__name__}"
        )
    import pyarrow as pa

    from ranker.arrow_columns import ColumnTypeError, to_column

    try:
        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else pa.Array.from_pandas(values)
        chunks = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        return to_column(chunks, name, distinct=True)
    except (pa.ArrowException, TypeError, ColumnTypeError) as error:
        raise InputError(f"{side}.{name}: {str(error).splitlines()[0]}") from None
    except ColumnError as error:
        raise input_error(error, side) from None


def _check_times(side: str, name: str, features: Iterable[str], column: Column, encoder: Encoder) -> None:
    """Reject plain numbers that look like times in a unit other than microseconds."""
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "iuf":
        return
    for feature in features:
        plain = encoder.guard(feature)
        if plain is None:
            continue
        values = np.ma.filled(column, 0)
        refused = np.flatnonzero(plain.wrong(values))
        if len(refused):
            value = values[refused[0]].item()
            raise InputError(
                f"{side}.{name}, row {refused[0]}: must be a time, as datetimes or as microseconds since 1970-01-01 "
                f"UTC, got {value}; {plain.told(value)}"
            )
