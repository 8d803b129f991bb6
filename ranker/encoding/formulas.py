"""Evaluate formulas on columns of a log."""

from collections.abc import Mapping

import numpy as np

from ranker.config.closed import formula
from ranker.encoding.columns import Column, Floats, Mask, numbers, strings


def computed(text: str, columns: Mapping[str, Column]) -> tuple[Floats, Mask]:
    """A formula's values [N], which may be NaN or infinite, and a mask [N] of rows with a null in a column it reads.

    Raises ``ColumnError`` for a column of the wrong type.
    """
    expression = formula(text)
    values = {
        name: strings(columns[name], name) if name in expression.texts else numbers(columns[name], name)
        for name in expression.names
    }
    null = [
        np.array([value is None for value in column], dtype=bool) if isinstance(column, list) else np.isnan(column)
        for column in values.values()
    ]
    return expression.evaluate(values), np.logical_or.reduce(null)
