"""DataFrames, Arrow tables and dicts of a caller -> columns of the encoding, by the log's column names."""

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
    """An input that cannot be scored; the text names the side, the column, the row and the value."""


def context_columns(schema: Schema, encoder: Encoder, context: Table) -> dict[str, Column]:
    """One row of context by column: a mapping gives one value a column, a table has one row.

    Raises ``InputError`` for a column that is missing or of a wrong type, and for another number of rows.
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
    """N candidates by column. Raises ``InputError`` for a column that is missing, of a wrong type or another length."""
    columns = _picked("candidates", _columns(schema, schema.candidate), candidates, encoder)
    for name, problem in unequal_lengths(columns).items():
        raise InputError(f"candidates.{name}: {problem}")
    return columns


def told(error: ColumnError, side: str) -> InputError:
    """What is wrong with a value, in words; ``side`` is ``context`` or ``candidates``."""
    row = f", row {error.row}" if side == "candidates" else ""
    return InputError(f"{side}.{error.column}{row}: must be {error.expected}, got {shortened(error.value)}")


def _columns(schema: Schema, features: Mapping[str, Feature]) -> dict[str, list[str]]:
    """Features that read each column."""
    found: dict[str, list[str]] = {}
    for name in features:
        found.setdefault(schema.column(name), []).append(name)
    return found


def _is_table(given: Any) -> bool:
    return not isinstance(given, Mapping) and hasattr(given, "columns")


def _mapping(side: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{side}: must be a DataFrame, an Arrow table or a dict by column, got {type(given).__name__}")
    return given


def _picked(side: str, names: Mapping[str, list[str]], given: Any, encoder: Encoder) -> dict[str, Column]:
    """Columns that the schema reads; others are ignored, as a table may have more than the model reads."""
    known = _names(side, given)
    columns: dict[str, Column] = {}
    missing = [name for name, features in names.items() if name not in known and _required(encoder, features)]
    if missing:
        hint = suggestion(missing[0], known)
        raise InputError(f"{side}: has no column {missing[0]!r}{hint} (the model reads {', '.join(names)})")
    rows = 0
    for name, features in names.items():
        if name in known:
            columns[name] = _column(side, name, _values(side, name, given))
            rows = len(columns[name])
            _check_times(side, name, features, columns[name], encoder)
    return columns | {name: [None] * rows for name in names if name not in known}


def _required(encoder: Encoder, features: Iterable[str]) -> bool:
    return any(encoder.schema.features[feature].required for feature in features)


def _names(side: str, given: Any) -> list[str]:
    if not _is_table(given):
        return list(_mapping(side, given))
    names = [str(name) for name in (given.schema.names if hasattr(given, "schema") else given.columns)]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{side}: has the column {name!r} more than once; which one is meant?")
    return names


def _values(side: str, name: str, given: Any) -> Any:
    if not _is_table(given):
        return given[name]
    if hasattr(given, "schema"):  # Arrow
        return given.column(name)
    return given.iloc[:, _names(side, given).index(name)]


def _column(side: str, name: str, values: Any) -> Column:
    """Values as the encoding takes them; Arrow arrays and pandas' Series through Arrow, as in training."""
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
        raise told(error, side) from None


def _check_times(side: str, name: str, features: Iterable[str], column: Column, encoder: Encoder) -> None:
    """Refuse plain numbers that look like times in another unit than training's microseconds."""
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
