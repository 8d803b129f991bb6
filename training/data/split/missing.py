"""Which rows of a column have no value to split or to group by."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Mask
from ranker.encoding.text import Text


def missing(column: NDArray[Any] | Text | Sequence[Any]) -> Mask:
    """Which rows [N] have no value: null, NaN and NaT, and empty text, which would gather unrelated rows."""
    if isinstance(column, Text):
        empty = np.append(column.lengths == 0, True)  # the last stands for null
        found: Mask = empty[column.rows]
        return found
    if isinstance(column, np.ndarray) and column.dtype.kind in "iubfM":
        lacking = np.ma.getmaskarray(column)
        values = np.ma.getdata(column)
        if values.dtype.kind == "f":
            return np.asarray(lacking | np.isnan(values))
        return np.asarray(lacking | np.isnat(values)) if values.dtype.kind == "M" else lacking
    return np.array([value is None or value == "" or value != value for value in column], dtype=np.bool_)
