"""Formulas of a log's columns -> numbers, a row each."""

from collections.abc import Mapping

import numpy as np

from ranker.config.closed import formula
from ranker.encoding.columns import Column, Floats, Mask, numbers, strings


def computed(text: str, columns: Mapping[str, Column]) -> tuple[Floats, Mask]:
    """A formula's value in each row [N], NaN or infinite where it has none, and where a column that it reads is null.

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
