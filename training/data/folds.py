"""The fold of each training row, for out-of-fold label statistics."""

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Integers
from ranker.encoding.vocabulary import Vocabulary
from ranker.log_files.log_reader import Chunk
from ranker.schema import Schema
from training.data.days import DayClock
from training.data.split.held_out import uniform


class Folds:
    """Folds of a first fit: by the values of ``fold_by``, or random."""

    def __init__(self, schema: Schema, seed: int) -> None:
        statistics = schema.label_statistics
        self._folds = statistics.folds if statistics else 1
        self._by = statistics.fold_by if statistics else None
        self._seed = seed + 1  # independent of the split
        self._seen = Vocabulary(None, [])

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that :meth:`of` reads."""
        return (self._by,) if self._by else ()

    def of(self, chunk: Chunk) -> NDArray[np.int64]:
        """Folds [N] of a chunk's rows; nulls share one. Raises ``ColumnError`` with the row's index in the chunk."""
        if self._by is None:
            folds: Integers = (uniform(chunk, self._seed) * self._folds).astype(np.int64)
            return folds
        return self._seen.add(chunk.columns[self._by], self._by) % self._folds


class DayFolds:
    """Folds by day, so that no row has statistics of its own day's labels, when an artifact is carried on."""

    def __init__(self, schema: Schema, clock: DayClock) -> None:
        self._folds = schema.label_statistics.folds if schema.label_statistics else 1
        self._clock = clock

    @property
    def columns(self) -> tuple[str, ...]:
        """None besides the clock's."""
        return ()

    def of(self, chunk: Chunk) -> NDArray[np.int64]:
        """Folds [N] of a chunk's rows. Raises ``DataError`` for a value that is no time."""
        return self._clock.of(chunk) % self._folds
