"""All rows of a log, in the form of a split."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk, Log


@dataclass(frozen=True)
class EveryRow:
    """A split that holds out every row of a log."""

    log: Log

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """No rows."""
        del columns, optional
        return iter(())

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Every chunk, with a mask of all its rows."""
        return ((chunk, np.ones(chunk.rows, dtype=bool)) for chunk in self.log.chunks(columns, optional))
