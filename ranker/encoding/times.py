"""Which features had times in training: as numbers they are microseconds, which must not mix with other numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ranker.encoding.columns import Column, ColumnError, Ragged
from ranker.encoding.lists import table_of
from ranker.encoding.value_types import value_type
from ranker.schema import Dense, Multi, Schema, Sequence


class Times:
    """By feature whether its column holds times; features without a value so far are left out.

    Lists of ids are of the feature whose vocabulary they share.
    """

    def __init__(self, dated: Mapping[str, bool] | None = None) -> None:
        self.dated = dict(dated or {})

    def learn(self, schema: Schema, columns: Mapping[str, Column]) -> None:
        """Take up a chunk of training rows. Raises ``ColumnError`` where times meet numbers or text."""
        for name, feature in schema.features.items():
            if isinstance(feature, Dense):
                continue
            column = schema.column(name)
            found = _is_dated(columns[column])
            table = table_of(name, feature) if isinstance(feature, Multi | Sequence) else name
            if found is not None and self.dated.setdefault(table, found) != found:
                raise _mixed(columns[column], column, found)

    def check(self, schema: Schema, columns: Mapping[str, Column], numbers: bool) -> None:
        """Raise ``ColumnError`` for times where training had none; with ``numbers`` these may stand for times."""
        for name, feature in schema.features.items():
            column = schema.column(name)
            table = table_of(name, feature) if isinstance(feature, Multi | Sequence) else name
            if table not in self.dated or column not in columns:
                continue
            found = _is_dated(columns[column])
            if found is None or found == self.dated[table]:
                continue
            if found or not numbers or value_type(_values(columns[column])) == "string":
                raise _mixed(columns[column], column, found)


def _is_dated(column: Column) -> bool | None:
    """Whether a column holds times; ``None`` where it holds no value."""
    values = _values(column)
    if value_type(values) is None:
        return None
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _values(column: Column) -> Any:
    """A column's values, those of all lists one after the other."""
    return column.values if isinstance(column, Ragged) else column


def _mixed(column: Column, name: str, dated: bool) -> ColumnError:
    values = _values(column)
    plain = values.astype(str).tolist() if dated else list(values)
    place = next(i for i, v in enumerate(plain) if v is not None and v is not np.ma.masked and v == v and v != "NaT")
    row = int(np.searchsorted(column.offsets, place, side="right")) - 1 if isinstance(column, Ragged) else place
    here, there = ("a time", "a number or text") if dated else ("a number or text", "a time")
    value = plain[place].item() if isinstance(plain[place], np.generic) else plain[place]
    return ColumnError(name, row, value, f"{there}, as other training rows hold: {here} and {there} must not mix")
