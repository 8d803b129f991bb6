"""Detects missing values in columns used for splitting and grouping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Mask
from ranker.encoding.text import Text


def missing(column: NDArray[Any] | Text | Sequence[Any]) -> Mask:
    """Mask [N] of missing values: null, NaN, NaT, and empty text, which would group unrelated rows."""
    if isinstance(column, Text):
        empty = np.append(column.lengths == 0, True)  # the last one is null
        found: Mask = empty[column.rows]
        return found
    if isinstance(column, np.ndarray) and column.dtype.kind in "iubfM":
        nulls = np.ma.getmaskarray(column)
        values = np.ma.getdata(column)
        if values.dtype.kind == "f":
            return np.asarray(nulls | np.isnan(values))
        return np.asarray(nulls | np.isnat(values)) if values.dtype.kind == "M" else nulls
    return np.array([value is None or value == "" or value != value for value in column], dtype=np.bool_)
