"""Keys of groups of rows, such as users, requests or lists."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, Ragged
from ranker.encoding.vocabulary import HashedVocabulary
from training.data.split.missing import missing

GROUP = "group"
"""Name of the array of group keys [N]; rows whose group is null or empty text have the key :data:`NO_GROUP`."""
NO_GROUP = 0


class Grouping:
    """Maps a column's values to keys for grouped metrics. All chunks must have the same type."""

    def __init__(self, column: str) -> None:
        self._column = column
        # Grouping only compares for equality, so a 62-bit hash is enough. The code of null is NO_GROUP.
        self._hashed = HashedVocabulary(1 << 62)

    def of(self, columns: Mapping[str, Column]) -> NDArray[np.int64]:
        """Keys [N]. Raises ``ColumnError``."""
        column = columns[self._column]
        keys = self._hashed.add(column, self._column)
        return keys if isinstance(column, Ragged) else np.where(missing(column), NO_GROUP, keys)
