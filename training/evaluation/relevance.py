"""Relevance of rows, computed from formulas of columns and task labels."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, ColumnError
from ranker.encoding.formulas import computed
from ranker.expressions import Expression
from ranker.log_files.errors import DataError

Floats = NDArray[np.float64]


def relevance_columns(
    formulas: Mapping[str, Expression],
    tasks: Sequence[str],
    labels: NDArray[np.floating],
    known: NDArray[np.bool_],
    columns: Mapping[str, Column],
) -> dict[str, Floats]:
    """Values [N] of formulas by name; NaN or infinite where undefined.

    A name in a formula is a task's label, of T tasks [N, T], null where unknown, or else a column [N]. Raises
    ``DataError`` for a column of the wrong type.
    """
    by_task = {task: np.where(known[:, i], labels[:, i].astype(np.float64), np.nan) for i, task in enumerate(tasks)}
    values = {}
    for name, expression in formulas.items():
        try:
            values[name] = computed(expression.text, {**columns, **by_task})[0]
        except ColumnError as error:
            raise DataError(
                f"--relevance {name}: column {error.column!r} must be {error.expected}, got {error.value!r:.80}"
            ) from None
    return values


def check_relevance(formulas: Mapping[str, Expression], columns: Mapping[str, NDArray[np.float64]]) -> None:
    """Raise ``DataError`` for a formula whose values [N], in ``columns``, are not all finite."""
    for name, expression in formulas.items():
        values = columns[name]
        if count := int((~np.isfinite(values)).sum()):
            raise DataError(
                f"--relevance {name}: {expression.text!r} is null or infinite in {count:,} of {len(values):,} rows; "
                "coalesce(x, 0) replaces a null in a column x"
            )
