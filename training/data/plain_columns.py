"""Raw columns of a log as plain arrays, as fusions and metrics read them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged
from ranker.encoding.columns import numbers
from training.config.experiment import ConfigError


def plain(column: Column, name: str) -> NDArray[Any]:
    """A column as an array [N]: numbers or text, with NaN or None for missing values.

    Raises ``ConfigError`` for a column of lists.
    """
    if isinstance(column, Ragged):
        raise ConfigError(f"column {name!r} holds lists; fusions and their metrics need one value per row")
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return numbers(column, name)
    if isinstance(column, np.ma.MaskedArray):
        if not np.ma.getmaskarray(column).any():
            return np.asarray(column)
        return np.ma.filled(column.astype(np.float64), np.nan)
    if isinstance(column, np.ndarray):
        return column
    values = np.empty(len(column), dtype=object)
    values[:] = list(column)
    return values
