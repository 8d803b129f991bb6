"""Of which type the values of a categorical feature are: by the schema's word, or by what training meets."""

from typing import Any, TypeAlias

import numpy as np

from ranker.encoding.columns import MISSING, Column, ColumnError, Integers, integers, require_single, strings
from ranker.encoding.declared import IdType, as_declared
from ranker.encoding.text import Text

ValueType: TypeAlias = IdType
"""``unsigned`` ids run from 0 to 2**64 - 1 and are held as the signed integers of the same bits."""


def value_type(column: Column) -> ValueType | None:
    """Tell whether a column holds integers or strings; ``None`` where it holds no value at all."""
    if isinstance(column, Text):
        return "string" if (column.rows >= 0).any() else None
    values: Any = column.compressed() if isinstance(column, np.ma.MaskedArray) else column
    if isinstance(values, np.ndarray) and values.dtype.kind in "iub":
        return "integer" if len(values) else None
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return None if np.isnat(values).all() else "integer"
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return None if np.isnan(values).all() else "integer"
    for value in values:
        if value is not None and not (isinstance(value, float) and np.isnan(value)):
            return "string" if isinstance(value, str) else "integer"
    return None


def integers_of_either_range(column: Column, name: str) -> tuple[Integers, ValueType]:
    """Integers [N], signed, or else unsigned where one is 2**63 or more. Raises ``ColumnError``."""
    try:
        return integers(column, name), "integer"
    except ColumnError as error:
        if not isinstance(error.value, int) or error.value < 2**63:
            raise
        return integers(column, name, unsigned=True), "unsigned"


class Typed:
    """Knows of which type values are: by the schema's word, or by what training meets."""

    def __init__(self, kind: ValueType | None, declared: ValueType | None) -> None:
        self.kind = declared or kind
        self.declared = declared
        self._negative: int | None = None
        """A value below 0 that was met."""
        self._beyond: int | None = None
        """A value of 2**63 or more that was met."""
        self._wide = False
        """Whether a column of unsigned integers of 64 bits was met, so that larger values may come."""

    def read(self, column: Column, name: str) -> Integers:
        """Integers [N] of a feature that holds integers, those of ``unsigned`` ones with the same bits."""
        return integers(self.as_declared(column, name), name, self.kind == "unsigned")

    def check(self, column: Column, name: str) -> None:
        """Take up what a training column [N] teaches about the type of values, but no value."""
        self.learn(column, name)

    def as_declared(self, column: Column, name: str) -> Column:
        """A column with its values of the type that the schema declares, if it does."""
        return column if self.declared is None else as_declared(column, name, self.declared)

    def learn(self, column: Column, name: str) -> Integers | Text | list[str | None] | None:
        """Values [N] of a training column as they are held; ``None`` where no row so far held one."""
        require_single(column, name, "one id a row")
        column = self.as_declared(column, name)
        self.kind = self.kind or value_type(column)
        if self.kind is None:
            return None
        try:
            if self.kind == "string":
                return column if isinstance(column, Text) else strings(column, name)
            return self._learn_integers(column, name)
        except ColumnError as error:
            raise self._explained(error) from None

    def _learn_integers(self, column: Column, name: str) -> Integers:
        if self.declared:
            return integers(column, name, self.kind == "unsigned")
        values, kind = integers_of_either_range(column, name)
        below = np.flatnonzero((values < 0) & (values != MISSING))  # of unsigned values those of 2**63 or more
        if kind == "unsigned":
            self._beyond = int(values[below[:1]].view(np.uint64)[0])
        elif len(below):
            self._negative = int(values[below[0]])
        if self._beyond is not None and self._negative is not None:
            value, other = (self._beyond, self._negative) if kind == "unsigned" else (self._negative, self._beyond)
            side = "below 2**63, as beside negative ones" if kind == "unsigned" else "of at least 0, as beside ones"
            raise ColumnError(name, int(below[0]), value, f"an integer {side} such as {other}")
        self._wide = self._wide or (isinstance(column, np.ndarray) and column.dtype == np.uint64)
        unsigned = self._beyond is not None or (self._wide and self._negative is None)
        self.kind = "unsigned" if unsigned else "integer"
        return values

    def _explained(self, error: ColumnError) -> ColumnError:
        """Say how to mix text and integers where the mixture is the error."""
        other = (
            isinstance(error.value, int | float | np.integer) if self.kind == "string" else isinstance(error.value, str)
        )
        if self.declared is not None or not other:
            return error
        hint = "as the values before it are; `type: string` in the schema takes integers and text alike, as text"
        return ColumnError(error.column, error.row, error.value, f"{error.expected}, {hint}")
