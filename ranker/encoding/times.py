"""Which features had times in training, and which plain numbers are accepted as times in requests and items."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ranker.encoding.columns import MISSING, Column, ColumnError, Ragged, microseconds
from ranker.encoding.plain_times import PlainTimes
from ranker.encoding.value_types import value_type
from ranker.schema import Schema


class Times:
    """By feature, whether its column has times, and if so the rules for plain numbers.

    Features without values so far are absent. Lists of ids count as the feature whose vocabulary they share. Older
    artifacts have an empty ``plain``; their numbers are not checked here.
    """

    def __init__(self, dated: Mapping[str, bool] | None = None, plain: Mapping[str, PlainTimes] | None = None) -> None:
        self.dated = dict(dated or {})
        self.plain = dict(plain or {})

    def extendable(self) -> "Times":
        """A copy that :meth:`learn` may extend."""
        return Times(self.dated, {name: replace(plain) for name, plain in self.plain.items()})

    def learn(self, schema: Schema, columns: Mapping[str, Column]) -> None:
        """Add a chunk of training rows. Raises ``ColumnError`` if times are mixed with numbers or text."""
        for name, feature in schema.features.items():
            if not feature.holds_times:
                continue
            column = schema.column(name)
            has_times = _is_dated(columns[column])
            source = feature.source_of(name)
            if has_times is not None and self.dated.setdefault(source, has_times) != has_times:
                raise _mixed(columns[column], column, has_times)
            if has_times:
                times = microseconds(_values(columns[column]))
                self.plain.setdefault(source, PlainTimes()).add(times[times != MISSING])

    def check(self, schema: Schema, columns: Mapping[str, Column], numbers: bool) -> None:
        """Raise ``ColumnError`` for times if training had none, and for other values if it had times.

        With ``numbers``, microseconds are accepted as times unless they look like another unit; booleans are not.
        """
        for name, feature in schema.features.items():
            column = schema.column(name)
            source = feature.source_of(name)
            if source not in self.dated or column not in columns:
                continue
            dated = _is_dated(columns[column])
            if dated is None or dated == self.dated[source]:
                continue
            values = _values(columns[column])
            array = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
            if dated or not numbers or not array:
                raise _mixed(columns[column], column, dated)
            if source in self.plain:
                _require_microseconds(columns[column], column, self.plain[source])


def _is_dated(column: Column) -> bool | None:
    """Whether a column holds times; ``None`` if it has no value."""
    values = _values(column)
    if value_type(values) is None:
        return None
    return isinstance(values, np.ndarray) and values.dtype.kind == "M"


def _values(column: Column) -> Any:
    """A column's values; lists are flattened."""
    return column.values if isinstance(column, Ragged) else column


def _require_microseconds(column: Column, name: str, plain: PlainTimes) -> None:
    values = np.ma.filled(_values(column), 0)
    wrong = plain.wrong(values)
    if wrong.any():
        place = int(np.argmax(wrong))
        expected = f"in microseconds since 1970-01-01 UTC, or a timestamp; {plain.told(values[place].item())}"
        raise ColumnError(name, _row(column, place), values[place].item(), expected)


def _row(column: Column, place: int) -> int:
    """Row of a flattened position."""
    return int(np.searchsorted(column.offsets, place, side="right")) - 1 if isinstance(column, Ragged) else place


def _mixed(column: Column, name: str, dated: bool) -> ColumnError:
    values = _values(column)
    plain = values.astype(str).tolist() if dated else list(values)
    place = next(i for i, v in enumerate(plain) if v is not None and v is not np.ma.masked and v == v and v != "NaT")
    here, there = ("a time", "a number or text") if dated else ("a number or text", "a time")
    value = plain[place].item() if isinstance(plain[place], np.generic) else plain[place]
    return ColumnError(
        name, _row(column, place), value, f"{there}, as in other training rows: {here} and {there} must not be mixed"
    )
