"""Value types of categorical features: declared in the schema or inferred from training data."""

from typing import Any, TypeAlias

import numpy as np

from ranker.encoding.columns import MISSING, Column, ColumnError, Integers, integers, require_single, strings
from ranker.encoding.declared import IdType, as_declared
from ranker.encoding.text import Text

ValueType: TypeAlias = IdType
"""``unsigned`` ids run from 0 to 2**64 - 1 and are stored as signed integers of the same bits."""


def value_type(column: Column) -> ValueType | None:
    """Whether a column holds integers or strings; ``None`` if it has no value."""
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
    """Integers [N]: signed, or unsigned if one is 2**63 or more. Raises ``ColumnError``."""
    try:
        return integers(column, name), "integer"
    except ColumnError as error:
        if not isinstance(error.value, int) or error.value < 2**63:
            raise
        return integers(column, name, unsigned=True), "unsigned"


class Typed:
    """The type of values, declared in the schema or inferred from training data."""

    def __init__(self, kind: ValueType | None, declared: ValueType | None) -> None:
        self.kind = declared or kind
        self.declared = declared
        self._negative: int | None = None
        """A value below 0 seen so far, if any."""
        self._beyond: int | None = None
        """A value of 2**63 or more seen so far, if any."""
        self._wide = False
        """Whether a column of unsigned 64-bit integers was seen, so that larger values may follow."""

    def read(self, column: Column, name: str) -> Integers:
        """Integers [N] of an integer feature; ``unsigned`` ones are stored as signed integers of the same bits."""
        return integers(self.as_declared(column, name), name, self.kind == "unsigned")

    def check(self, column: Column, name: str) -> None:
        """Infer the type of values from a training column [N] without adding values."""
        self.learn(column, name)

    def as_declared(self, column: Column, name: str) -> Column:
        """Convert a column to the declared type, if any."""
        return column if self.declared is None else as_declared(column, name, self.declared)

    def recall(self, values: Integers | list[str]) -> None:
        """Take from the values [V] of an earlier fit, as stored, which integers may follow."""
        if self.declared or not isinstance(values, np.ndarray):
            return
        below = values[values < 0]
        if self.kind == "unsigned":
            self._wide = True
            self._beyond = int(below[:1].view(np.uint64)[0]) if len(below) else None
        elif len(below):
            self._negative = int(below[0])

    def learn(self, column: Column, name: str) -> Integers | Text | list[str | None] | None:
        """Stored values [N] of a training column; ``None`` if there was no value so far."""
        require_single(column, name, "one id per row")
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
        below = np.flatnonzero((values < 0) & (values != MISSING))  # for unsigned ids: values of 2**63 or more
        if kind == "unsigned":
            self._beyond = int(values[below[:1]].view(np.uint64)[0])
        elif len(below):
            self._negative = int(values[below[0]])
        if self._beyond is not None and self._negative is not None:
            value, other = (self._beyond, self._negative) if kind == "unsigned" else (self._negative, self._beyond)
            side = (
                "below 2**63, since there are negative ones"
                if kind == "unsigned"
                else "of at least 0, since there are ones"
            )
            raise ColumnError(name, int(below[0]), value, f"an integer {side} such as {other}")
        self._wide = self._wide or (isinstance(column, np.ndarray) and column.dtype == np.uint64)
        unsigned = self._beyond is not None or (self._wide and self._negative is None)
        self.kind = "unsigned" if unsigned else "integer"
        return values

    def _explained(self, error: ColumnError) -> ColumnError:
        """Add advice on mixing text and integers if that is the error."""
        other = (
            isinstance(error.value, int | float | np.integer) if self.kind == "string" else isinstance(error.value, str)
        )
        if self.declared is not None or not other:
            return error
        hint = "as the values before it are; `type: string` in the schema accepts both integers and text, as text"
        return ColumnError(error.column, error.row, error.value, f"{error.expected}, {hint}")
