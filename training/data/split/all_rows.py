"""A split whose held-out rows are trained on, too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ranker.encoding.columns import Mask
from ranker.log_files.log_reader import Chunk
from training.data.split.held_out import Split


@dataclass(frozen=True)
class AllRows:
    """All rows of a split are training rows; its validation rows stay those that it holds out."""

    split: Split

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of all their rows, those of separate validation files last."""
        for chunk, mask in self.split.training(columns, optional):
            yield chunk, np.ones_like(mask)
        if self.split.other is not None:
            yield from self.split.validation(columns, optional)

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of the rows that the split holds out."""
        return self.split.validation(columns, optional)

    def counted(self, columns: list[str]) -> str:
        """Row counts of both sides of the split as text."""
        return self.split.counted(columns)
